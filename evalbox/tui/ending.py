"""How the screen is left."""

from __future__ import annotations

from enum import Enum, auto


class Ending(Enum):
    """What becomes of what this process runs, where it runs something.

    ``QUIT``: it runs nothing. ``LEAVE``: it goes on without a screen. ``DRAIN``: what runs ends,
    nothing more starts. ``CANCEL``: what runs is cancelled. ``STOP``: told to by a signal: what
    runs gets a while to end. ``GONE``: the terminal went away.
    """

    QUIT = auto()
    LEAVE = auto()
    DRAIN = auto()
    CANCEL = auto()
    STOP = auto()
    GONE = auto()
