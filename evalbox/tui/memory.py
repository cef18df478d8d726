"""What the screen remembers from one time to the next. Losing it costs nothing."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path

_MOST = 4096
THEMES = ("dark", "light")


def theme(file: Path) -> str:
    """The theme that was last chosen; the first where none was, or that cannot be read."""
    try:
        with file.open("rb") as content:
            found = json.loads(content.read(_MOST))
    except (OSError, ValueError):
        return THEMES[0]
    chosen = found.get("theme") if isinstance(found, dict) else None
    return chosen if chosen in THEMES else THEMES[0]


def keep(file: Path, chosen: str) -> None:
    """Does nothing where it cannot be written."""
    with contextlib.suppress(OSError):
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps({"theme": chosen}), encoding="utf-8")
