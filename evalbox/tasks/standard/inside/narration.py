"""What is told on standard error: a line for each phase that begins, and why something ended.

Nobody else writes there, so whoever follows the sandbox knows from it what is under way.
"""

from __future__ import annotations

import os

#: Before the name of a phase that begins.
PHASE = "==> "
_NOTE = "evalbox: "


def begin(phase: str) -> None:
    _write(f"{PHASE}{phase}\n")


def note(text: str) -> None:
    """One line; what it is told of may come from the family."""
    shown = "".join(one if one.isprintable() else " " for one in text)
    _write(f"{_NOTE}{shown[:2000]}\n")


def _write(text: str) -> None:
    data = text.encode("utf-8", "replace")
    while data:
        data = data[os.write(2, data) :]
