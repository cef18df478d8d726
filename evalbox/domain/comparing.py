"""A comparison of batches in words, as people read it."""

from __future__ import annotations

from collections.abc import Iterator

from evalbox.domain.comparison import Change, Comparison, Pair, Totals, number_of
from evalbox.domain.statistics import Paired

_NONE = "-"
#: Of one, and of several.
_COUNTED = {
    Change.REGRESSION: ("regression", "regressions"),
    Change.FIX: ("fix", "fixes"),
    Change.OUTCOME: ("other change of outcome", "other changes of outcome"),
    Change.SCORE: ("change of score alone", "changes of score alone"),
    Change.REMOVED: ("only in the first", "only in the first"),
    Change.ADDED: ("only in the second", "only in the second"),
    Change.SAME: ("the same", "the same"),
}


def totals(found: Comparison) -> Iterator[tuple[str, str, str, str]]:
    """What is told, of the one, of the other, and the difference of what is in both."""
    first, second = found.before, found.after
    yield "evaluations", f"{first.total:,}", f"{second.total:,}", ""
    yield "passed", _passed(first), _passed(second), ""
    yield "pass rate", _rate(first), _rate(second), _difference(found.pass_difference, 100.0, " %")
    if first.scored or second.scored:
        yield "mean score", _mean(first), _mean(second), _difference(found.score_difference)


def counts(found: Comparison) -> str:
    number = found.counts
    told = [
        f"{number[change]:,} {_COUNTED[change][number[change] != 1]}"
        for change in Change
        if number[change]
    ]
    return ", ".join(told) or "nothing in either"


def gain(pair: Pair) -> str:
    """How its score changed."""
    first, second = number_of(pair.before), number_of(pair.after)
    if first is None and second is None:
        return ""
    if first == second:
        return f"{first:g}"
    told = [_NONE if value is None else f"{value:g}" for value in (first, second)]
    return " -> ".join(told)


def _passed(side: Totals) -> str:
    return f"{side.passed:,} of {side.judged:,}"


def _rate(side: Totals) -> str:
    if side.pass_rate is None or side.interval is None:
        return _NONE
    low, high = side.interval
    return f"{100 * side.pass_rate:.1f} % [{100 * low:.0f}-{100 * high:.0f}]"


def _mean(side: Totals) -> str:
    return _NONE if side.mean_score is None else f"{side.mean_score:.4g}"


def _difference(of: Paired | None, scale: float = 1.0, unit: str = "") -> str:
    """With its standard error, where there is one."""
    if of is None:
        return _NONE
    error = "" if of.error is None else f" ± {of.error * scale:.2g}"
    pairs = "pair" if of.pairs == 1 else "pairs"
    return f"{of.mean * scale:+.3g}{error}{unit} ({of.pairs:,} {pairs})"
