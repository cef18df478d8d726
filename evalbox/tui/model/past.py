"""How a machine was over some while, in as many parts as a picture of it has use for."""

from __future__ import annotations

from collections import deque
from collections.abc import Reversible
from enum import IntEnum
from itertools import pairwise

from evalbox.domain.host import HostSample

#: Parts that a while is told in, and seconds for which a sample stands where no other comes.
PARTS, HELD = 60, 15.0

Values = tuple[float, ...]
_NOTHING: Values = ()


class Figure(IntEnum):
    """What is remembered of a sample, in this order."""

    CPU = 0
    MEMORY = 1
    LOAD = 2
    DISK = 3
    RECEIVED = 4
    SENT = 5


class Past:
    """The last ``seconds``. Parts begin at whole multiples of their length, so that a picture of
    them stays as it is until the next one begins.
    """

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._step = seconds / PARTS
        self._parts: deque[Values] = deque([_NOTHING] * PARTS, maxlen=PARTS)
        self._part = 0
        self._last = (0.0, _NOTHING)

    @property
    def newest(self) -> float:
        """When the newest sample was taken; 0 where there is none."""
        return self._last[0]

    def take(self, samples: Reversible[HostSample]) -> None:
        """Takes in those that it does not have. ``samples`` are oldest first."""
        fresh: list[HostSample] = []
        for sample in reversed(samples):
            if sample.at <= self.newest:
                break
            fresh.append(sample)
        for sample in reversed(fresh):
            self._take(sample)

    def _take(self, sample: HostSample) -> None:
        at, values = sample.at, _values(sample)
        before, held = self._last
        self._begin(int(at / self._step), held if at - before <= HELD else _NOTHING)
        newest = self._parts[-1]
        self._parts[-1] = tuple(map(max, newest, values)) if newest else values
        self._last = (at, values)

    def _begin(self, part: int, between: Values) -> None:
        """Goes on to that part; those that are skipped hold what lies ``between``."""
        for _ in range(min(PARTS, part - self._part - 1)):
            self._parts.append(between)
        if part > self._part:
            self._parts.append(_NOTHING)
        self._part = max(self._part, part)

    def columns(self, figure: Figure, width: int) -> list[float]:
        """The greatest value of each of ``width`` stretches; 0 where nothing was measured."""
        values = [part[figure] if part else 0.0 for part in self._parts]
        edges = [column * PARTS // width for column in range(width + 1)]
        return [max(values[low : max(high, low + 1)]) for low, high in pairwise(edges)]


def _values(sample: HostSample) -> Values:
    return (
        sample.cpu,
        float(sample.memory_used),
        sample.load[0],
        float(sample.disk_used),
        sample.received_rate,
        sample.sent_rate,
    )
