"""The end of the time that a task has."""

from __future__ import annotations

import asyncio
from collections.abc import Callable


class Deadline:
    """By the time of the event loop. It is none until it is set; ``expire`` is called once it is
    reached.
    """

    def __init__(self, expire: Callable[[], None]) -> None:
        self._expire = expire
        self._handle: asyncio.TimerHandle | None = None

    @property
    def passed(self) -> bool:
        return self._handle is not None and self._handle.when() <= _now()

    def set(self, when: float) -> None:
        self.clear()
        self._handle = asyncio.get_running_loop().call_at(when, self._expire)

    def clear(self) -> None:
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None

    def grant(self, seconds: float) -> None:
        """So many seconds are left at least."""
        if self._handle is not None:
            self.set(max(self._handle.when(), _now() + seconds))

    def postpone(self, seconds: float) -> None:
        if self._handle is not None:
            self.set(self._handle.when() + seconds)


def _now() -> float:
    return asyncio.get_running_loop().time()
