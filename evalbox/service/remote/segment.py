"""Names as segments of a path."""

from __future__ import annotations

from urllib.parse import quote


def segment(text: str) -> str:
    """``text`` as one segment of a path, whatever it holds."""
    if text in {".", ".."}:
        # Clients take these out of a path, but not where they are quoted.
        return text.replace(".", "%2E")
    return quote(text, safe="")
