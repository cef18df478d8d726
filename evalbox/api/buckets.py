"""How many requests somebody may make: token buckets."""

from __future__ import annotations

import math
from collections import OrderedDict
from dataclasses import dataclass

from evalbox.domain.clock import Clock

#: How many are remembered; the one that asked longest ago is forgotten first.
_MOST = 4096


@dataclass(frozen=True, slots=True)
class Taken:
    """``left``: how many more may come at once; ``wait``: seconds until one may, else 0."""

    left: int
    wait: float

    @property
    def allowed(self) -> bool:
        return self.wait == 0.0


class Buckets:
    """A bucket of ``burst`` for each name, filled again by ``rate`` a second."""

    def __init__(self, rate: float, burst: int, clock: Clock) -> None:
        self.rate = rate
        self.burst = burst
        self._clock = clock
        self._levels: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, name: str) -> Taken:
        """Takes one out of the bucket of ``name``, if it holds one."""
        now = self._clock.monotonic()
        level, since = self._levels.pop(name, (float(self.burst), now))
        level = min(float(self.burst), level + (now - since) * self.rate)
        # Rounding must not make a whole one into none.
        enough = level >= 1.0 - 1e-9
        if enough:
            level -= 1.0
        self._levels[name] = (level, now)
        if len(self._levels) > _MOST:
            self._levels.popitem(last=False)
        return Taken(max(0, math.floor(level)), 0.0 if enough else (1.0 - level) / self.rate)
