"""What is told on standard error: a line for each phase that begins, and why something ended.

Nobody else writes there, so whoever follows the sandbox knows from it what is under way.
"""

from __future__ import annotations

import os

#: Before the name of a phase that begins.
PHASE = "==> "
_NOTE = "evalbox: "


def begin(phase: str) -> None:
    write_all(2, f"{PHASE}{phase}\n".encode())


def note(text: str) -> None:
    """One line; what it is told of may come from the family."""
    shown = "".join(one if one.isprintable() else " " for one in text)
    write_all(2, f"{_NOTE}{shown[:2000]}\n".encode("utf-8", "replace"))


def write_all(descriptor: int, data: bytes) -> None:
    """Waits while nobody reads."""
    while data:
        try:
            data = data[os.write(descriptor, data) :]
        except BlockingIOError:
            # It is shared with the agent's programs, some of which do this to it.
            os.set_blocking(descriptor, True)
