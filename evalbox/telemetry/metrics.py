"""What is counted and timed, until somebody asks.

Every part owns the instruments that it works, and nothing is kept for the process as a whole. They
are plain numbers: what turns them into text (``telemetry/exposition.py``) is for those who serve.
Instruments are for the event loop, or for one thread each.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from typing import ClassVar, Protocol

#: Combinations of label values that one instrument tells apart. Labels are of closed lists, so that
#: there are fewer; what a mistake would add on top is counted as ``OTHER``.
MOST_SERIES = 2000
OTHER = "other"

#: Upper bounds in seconds, for what a service does at once and for what it runs.
SWIFT = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)
LONG = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 1800.0, 7200.0)

Labels = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Family:
    """A metric as it stands: ``kind`` is ``gauge`` or ``counter``.

    ``name`` ends in its unit, without ``_total``; ``text`` says what it is; ``values`` are by the
    values of ``labels``.
    """

    kind: str
    name: str
    text: str
    labels: Labels = ()
    values: Mapping[Labels, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Distribution:
    """How many were at most so much, for every bound (the last is without one), and their sum."""

    bounds: Sequence[float]
    counts: Sequence[int]
    sum: float


@dataclass(frozen=True, slots=True)
class Distributed:
    """A histogram as it stands."""

    name: str
    text: str
    labels: Labels
    values: Mapping[Labels, Distribution]


Reading = Family | Distributed


class Instrument(Protocol):
    def read(self) -> Reading: ...


class _Sums:
    kind: ClassVar[str]

    def __init__(self, name: str, text: str, labels: Labels = ()) -> None:
        self._name, self._text, self._labels = name, text, labels
        self._values: dict[Labels, float] = {} if labels else {(): 0.0}

    def add(self, amount: float, *labels: str) -> None:
        labels = _bounded(labels, self._values)
        self._values[labels] = self._values.get(labels, 0.0) + amount

    def read(self) -> Family:
        return Family(self.kind, self._name, self._text, self._labels, dict(self._values))


class Counter(_Sums):
    """Only ever grows. Its ``name`` is without ``_total``."""

    kind = "counter"


class Gauge(_Sums):
    """Goes up and down: what is added may be negative."""

    kind = "gauge"


class Histogram:
    """Sorts what it is told into ranges up to each of ``bounds``, and one beyond."""

    def __init__(
        self, name: str, text: str, labels: Labels = (), *, bounds: Sequence[float] = SWIFT
    ) -> None:
        self._name, self._text, self._labels = name, text, labels
        self._bounds = tuple(bounds)
        self._values: dict[Labels, _Ranges] = {} if labels else {(): _Ranges(len(bounds) + 1)}

    def observe(self, value: float, *labels: str) -> None:
        ranges = self._values.get(labels)
        if ranges is None:
            labels = _bounded(labels, self._values)
            ranges = self._values.setdefault(labels, _Ranges(len(self._bounds) + 1))
        ranges.counts[bisect_left(self._bounds, value)] += 1
        ranges.sum += value

    def read(self) -> Distributed:
        values = {
            labels: Distribution(self._bounds, tuple(accumulate(ranges.counts)), ranges.sum)
            for labels, ranges in self._values.items()
        }
        return Distributed(self._name, self._text, self._labels, values)


class _Ranges:
    __slots__ = ("counts", "sum")

    def __init__(self, size: int) -> None:
        self.counts = [0] * size
        self.sum = 0.0


def _bounded(labels: Labels, known: Mapping[Labels, object]) -> Labels:
    if labels in known or len(known) < MOST_SERIES:
        return labels
    return (OTHER,) * len(labels)


def gauge(name: str, text: str, value: float) -> Family:
    """One without labels."""
    return Family("gauge", name, text, (), {(): float(value)})


def gauges(name: str, text: str, label: str, values: Mapping[str, float]) -> Family:
    """One with a value for each value of ``label``."""
    return Family("gauge", name, text, (label,), {(key,): value for key, value in values.items()})


def totals(name: str, text: str, label: str, values: Mapping[str, float]) -> Family:
    """A counter for each value of ``label``, that something else keeps."""
    return Family("counter", name, text, (label,), {(key,): value for key, value in values.items()})


def total(name: str, text: str, value: float) -> Family:
    """A counter without labels, that something else keeps."""
    return Family("counter", name, text, (), {(): float(value)})
