"""A clock that begins in the past and hurries until it has caught up."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from evalbox.domain.clock import Clock


class HurryingClock:
    """Begins ``behind`` seconds before ``clock``, runs ``pace`` times as fast, and then with it."""

    def __init__(self, clock: Clock, *, behind: float, pace: float) -> None:
        self._clock = clock
        self._pace = pace
        # What has to be caught up includes what passes meanwhile.
        self._needed = behind / (pace - 1)
        self._begin = clock.monotonic()

    @property
    def behind(self) -> float:
        """Seconds that it still lags."""
        return max(0.0, self._needed - self._since()) * (self._pace - 1)

    def now(self) -> float:
        return self._clock.now() - self.behind

    def monotonic(self) -> float:
        return self._clock.monotonic() - self.behind

    def _since(self) -> float:
        return self._clock.monotonic() - self._begin

    def takes(self, seconds: float) -> float:
        """How many real seconds ``seconds`` of this clock take from now on."""
        hurried = min(seconds, max(0.0, self._needed - self._since()) * self._pace)
        return hurried / self._pace + (seconds - hurried)

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(self.takes(seconds))

    async def caught_up(self, on_progress: Callable[[float], None] | None = None) -> None:
        """Returns when it has; ``on_progress`` is told the share that is done, from 0 to 1."""
        while (left := self._needed - self._since()) > 0:
            if on_progress is not None:
                on_progress(1 - left / self._needed)
            await asyncio.sleep(min(left, 0.1))
