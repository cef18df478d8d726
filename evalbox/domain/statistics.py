"""What can be said of a rate from a sample."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass


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


@dataclass(frozen=True, slots=True)
class Paired:
    """The mean of differences of pairs, and its standard error (None of fewer than two)."""

    pairs: int
    mean: float
    error: float | None


def paired(differences: Sequence[float]) -> Paired | None:
    """Of the second's value less the first's. None where there are no pairs."""
    number = len(differences)
    if not number:
        return None
    mean = math.fsum(differences) / number
    if number < 2:
        return Paired(number, mean, None)
    variance = math.fsum((one - mean) ** 2 for one in differences) / (number - 1)
    return Paired(number, mean, math.sqrt(variance / number))
