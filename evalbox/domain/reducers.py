"""Several epochs of a task made into one value, and what can be said of the mean of many tasks."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from typing import TypeVar

C = TypeVar("C")


class Reducer(StrEnum):
    """How the scores of one task's epochs become one."""

    MEAN = "mean"
    MAX = "max"
    MEDIAN = "median"

    def reduce(self, values: Sequence[float]) -> float | None:
        """None of no values."""
        return _REDUCE[self](values) if values else None


def mean(values: Sequence[float]) -> float:
    """Exact but for one rounding, and finite wherever all values are."""
    try:
        return math.fsum(values) / len(values)
    except OverflowError:
        return math.fsum(value / len(values) for value in values)


_REDUCE: Mapping[Reducer, Callable[[Sequence[float]], float]] = {
    Reducer.MEAN: mean,
    Reducer.MAX: max,
    Reducer.MEDIAN: statistics.median,
}


def pass_at(k: int, passed: int, total: int) -> float | None:
    """How likely at least one of ``k`` of the ``total`` attempts passes, drawn without return.

    Unbiased for a task that is tried ``k`` times; None where there are fewer attempts. Chen and
    others, "Evaluating Large Language Models Trained on Code", 2021, arXiv:2107.03374, equation 1.
    """
    if not 1 <= k <= total:
        return None
    return 1.0 - math.comb(total - passed, k) / math.comb(total, k)


def pass_all(k: int, passed: int, total: int) -> float | None:
    """How likely all of ``k`` attempts pass (pass^k), drawn in the same way.

    Yao and others, "tau-bench: A Benchmark for Tool-Agent-User Interaction in Real-World Domains",
    2024, arXiv:2406.12045, section 5.
    """
    if not 1 <= k <= total:
        return None
    return math.comb(passed, k) / math.comb(total, k)


def clustered_error(clusters: Mapping[C, Sequence[float]]) -> float | None:
    """The standard error of the mean of all values, where those of one cluster go together.

    Epochs of one task are no independent draws of tasks. Miller, "Adding Error Bars to Evals",
    2024, arXiv:2411.00640, section 2.2, with the factor C / (C - 1) for the number C of clusters,
    so that clusters of one value each give the standard error of the mean. None of fewer than two.
    """
    held = [values for values in clusters.values() if values]
    if len(held) < 2:
        return None
    number = sum(len(values) for values in held)
    middle = mean([value for values in held for value in values])
    sums = [math.fsum(value - middle for value in values) for values in held]
    # Of the largest, so that no square leaves the range of numbers.
    scale = max(map(abs, sums))
    if not scale or not math.isfinite(scale):
        return 0.0 if not scale else None
    squares = math.fsum((one / scale) ** 2 for one in sums)
    return scale * math.sqrt(squares * len(held) / (len(held) - 1)) / number
