"""What was done last, and can be taken back."""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

_MOST = 50


@dataclass(frozen=True, slots=True)
class Undo:
    """``words`` name what was done. ``back`` takes it back, and says in words how things are then.

    It raises what the box raises.
    """

    words: str
    back: Callable[[], Awaitable[str]]


@dataclass(slots=True)
class Undoing:
    """The last that were done at this screen, on whichever page; what is older is forgotten."""

    _done: deque[Undo] = field(default_factory=lambda: deque(maxlen=_MOST))

    def remember(self, words: str, back: Callable[[], Awaitable[str]]) -> None:
        self._done.append(Undo(words, back))

    def last(self) -> Undo | None:
        """Is forgotten with it."""
        return self._done.pop() if self._done else None
