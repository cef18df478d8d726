"""Text of users and jobs, fit for XML 1.0."""

from __future__ import annotations

import re
from xml.sax.saxutils import escape

#: All that the specification has no place for, escaped or not.
_ILLEGAL = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_ESCAPES = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-Z\\-_])")


def content(text: str) -> str:
    """``text`` between tags: escape sequences of terminals and illegal characters removed."""
    legal = _ILLEGAL.sub("", _ESCAPES.sub("", text))
    return escape(legal, {"\r": "&#13;"})


def element(name: str, attributes: dict[str, str], inside: str | None = None) -> str:
    """``inside`` is XML already; None makes an empty element."""
    told = "".join(f' {key}="{attribute(value)}"' for key, value in attributes.items())
    return f"<{name}{told}/>" if inside is None else f"<{name}{told}>{inside}</{name}>"


def attribute(text: str) -> str:
    """``text`` between double quotes; line ends and tabs would else become spaces."""
    return content(text).replace('"', "&quot;").replace("\n", "&#10;").replace("\t", "&#9;")
