"""What can be said of a rate from a sample."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from evalbox.domain.reducers import clustered_error, mean


def wilson(passed: int, total: int, z: float = 1.96) -> tuple[float, float]:
    """The Wilson score interval of a proportion: between which two rates the true one lies.

    ``z`` 1.96 is for 95 % confidence. Of no trial nothing is known: (0, 1).
    """
    if total <= 0:
        return 0.0, 1.0
    rate = passed / total
    denominator = 1 + z * z / total
    middle = (rate + z * z / (2 * total)) / denominator
    spread = z / denominator * math.sqrt(rate * (1 - rate) / total + z * z / (4 * total * total))
    # At the ends the two are equal but for rounding.
    low = 0.0 if passed == 0 else max(0.0, middle - spread)
    high = 1.0 if passed == total else min(1.0, middle + spread)
    return low, high


class Judged(Protocol):
    """What has been judged, and how many of it passed."""

    @property
    def passed(self) -> int: ...

    @property
    def judged(self) -> int: ...


class Rated:
    """What any ``Judged`` says of its rate."""

    __slots__ = ()

    @property
    def pass_rate(self: Judged) -> float | None:
        """Of those judged; None before there are any."""
        return self.passed / self.judged if self.judged else None

    @property
    def interval(self: Judged) -> tuple[float, float] | None:
        """Where the true pass rate lies with 95 % confidence; None before any was judged."""
        return wilson(self.passed, self.judged) if self.judged else None


@dataclass(frozen=True, slots=True)
class Paired:
    """The mean of differences of pairs, and its standard error, clustered by task.

    Of fewer than two tasks there is none.
    """

    pairs: int
    mean: float
    error: float | None


def paired(differences: Sequence[tuple[str, float]]) -> Paired | None:
    """Of the second's value less the first's, each with its task. None where there are no pairs."""
    if not differences:
        return None
    clusters: dict[str, list[float]] = {}
    for task, value in differences:
        clusters.setdefault(task, []).append(value)
    middle = mean([value for _, value in differences])
    return Paired(len(differences), middle, clustered_error(clusters))
