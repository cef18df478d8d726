"""Samples of some while, as columns of a picture that are alike in time."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise

Point = tuple[float, float]

#: Seconds for which a sample stands where no other comes.
HELD = 15.0


def columns(points: Sequence[Point], *, start: float, end: float, width: int) -> list[float]:
    """The greatest value in each of ``width`` stretches from ``start`` to ``end``.

    ``points`` are times, in seconds, and values, oldest first. A value stands until the next one,
    and at most for ``HELD``; where nothing was measured there is 0.
    """
    drawn = [0.0] * width
    if end <= start:
        return drawn
    step = (end - start) / width
    for at, until, value in _stretches(points, end):
        first, last = (min(width - 1, int((one - start) / step)) for one in (at, until))
        for column in range(max(0, first), last + 1):
            drawn[column] = max(drawn[column], value)
    return drawn


def _stretches(points: Sequence[Point], end: float) -> Iterable[tuple[float, float, float]]:
    for (at, value), (following, _) in pairwise(points):
        # Not up to the next one: it has a column of its own.
        yield at, max(at, min(following - 1e-6, at + HELD)), value
    if points:
        at, value = points[-1]
        yield at, max(at, min(end, at + HELD)), value
