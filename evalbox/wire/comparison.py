"""Comparisons as JSON documents."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from evalbox.domain.comparison import Change, Comparison, Pair, Totals
from evalbox.domain.difference import Difference
from evalbox.domain.evaluation import Evaluation
from evalbox.domain.statistics import Paired


def batches(names: tuple[str, str], found: Comparison) -> dict[str, Any]:
    """``pairs`` has those that changed, regressions first."""
    before, after = names
    return {
        "kind": "batches",
        "before": {"batch": before, **_totals(found.before)},
        "after": {"batch": after, **_totals(found.after)},
        "pass_difference": _paired(found.pass_difference),
        "score_difference": _paired(found.score_difference),
        "counts": {change: found.counts[change] for change in Change},
        "pairs": [_pair(pair) for pair in found.pairs if pair.change is not Change.SAME],
    }


def evaluations(
    ids: tuple[str, str], asked: Sequence[Difference], became: Sequence[Difference]
) -> dict[str, Any]:
    before, after = ids
    return {
        "kind": "evaluations",
        "before": before,
        "after": after,
        "asked": [asdict(one) for one in asked],
        "became": [{**asdict(one), "differs": one.differs} for one in became],
    }


def _totals(totals: Totals) -> dict[str, Any]:
    return {
        **asdict(totals),
        "pass_rate": totals.pass_rate,
        "interval": list(totals.interval) if totals.interval else None,
    }


def _paired(of: Paired | None) -> dict[str, Any] | None:
    return asdict(of) if of is not None else None


def _pair(pair: Pair) -> dict[str, Any]:
    return {
        "change": pair.change,
        "name": pair.key.name,
        "agent": pair.key.agent,
        "sample": pair.key.sample,
        "gain": pair.gain,
        "before": _side(pair.before),
        "after": _side(pair.after),
    }


def _side(item: Evaluation | None) -> dict[str, Any] | None:
    if item is None:
        return None
    score = item.score
    return {
        "id": item.id,
        "state": item.state,
        "outcome": item.outcome,
        "error": item.error,
        "score": {"kind": score.kind, "value": score.value} if score is not None else None,
    }
