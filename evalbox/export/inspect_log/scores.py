"""Scores as Inspect has them.

``score`` is the number that a job or a task was given. What is left to a person, or is no score,
stands there without one (NaN, as Inspect writes it), so that no mean counts it as a 0. ``outcome``
is ``C`` for what passed and ``I`` for what the task or its limits ended.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from evalbox.domain.comparison import passed
from evalbox.domain.reducers import clustered_error, mean
from evalbox.domain.score import Score, ScoreKind
from evalbox.export.inspect_log.material import Material
from evalbox.wire.moments import iso_or_none

SCORE, OUTCOME = "score", "outcome"
REDUCER = "mean"
_VALUES = {True: "C", False: "I"}
#: Why there is no number, in the words that Inspect has for it where it has any.
_REASONS = {ScoreKind.MANUAL: "manual", ScoreKind.INVALID: "scoring_failed"}


def scores(material: Material) -> dict[str, dict[str, Any]]:
    item = material.item
    found: dict[str, dict[str, Any]] = {}
    if item.score is not None:
        found[SCORE] = {**told(_full(material, item.score)), "answer": material.submission}
    verdict = passed(item)
    if verdict is not None:
        found[OUTCOME] = {
            "value": _VALUES[verdict],
            "explanation": item.error or item.reason or str(item.outcome or item.state),
        }
    return found


def told(score: Score) -> dict[str, Any]:
    metadata: dict[str, Any] = {"kind": score.kind}
    if score.raw:
        metadata["raw"] = score.raw
    if score.checks:
        metadata["checks"] = [asdict(check) for check in score.checks]
    if score.by:
        metadata |= {"by": score.by, "at": iso_or_none(score.at)}
    return {
        "value": math.nan if score.value is None else score.value,
        "explanation": score.reason or None,
        "reason": _REASONS.get(score.kind),
        "metadata": metadata,
    }


def _full(material: Material, summary: Score) -> Score:
    """The evaluation's score, with the checks that only the attempt tells of."""
    last = material.last
    full = last.verdict.score if last and last.verdict else None
    return full if full is not None and full.value == summary.value else summary


@dataclass
class Tally:
    """The values of each sample, by scorer. ``without`` counts those that have no number."""

    values: dict[str, dict[str, list[float]]] = field(default_factory=dict)
    without: dict[str, int] = field(default_factory=dict)

    def add(self, sample: str, given: Mapping[str, Mapping[str, Any]]) -> None:
        for scorer, score in given.items():
            held = self.values.setdefault(scorer, {}).setdefault(sample, [])
            value = {"C": 1.0, "I": 0.0}.get(score["value"], score["value"])
            if math.isnan(value):
                self.without[scorer] = self.without.get(scorer, 0) + 1
            else:
                held.append(value)

    @property
    def scorers(self) -> list[str]:
        """That which tells most comes first."""
        return [name for name in (SCORE, OUTCOME) if name in self.values]

    def reduced(self, scorer: str) -> dict[str, float]:
        """The mean of each sample that has a number."""
        return {name: mean(held) for name, held in self.values[scorer].items() if held}

    def results(self, scorer: str) -> dict[str, Any]:
        values = self.reduced(scorer)
        metrics = {}
        if values:
            named = "accuracy" if scorer == OUTCOME else "mean"
            metrics[named] = _metric(named, mean(list(values.values())))
            error = clustered_error({name: [value] for name, value in values.items()})
            if error is not None:
                metrics["stderr"] = _metric("stderr", error)
        return {
            "name": scorer,
            "scorer": scorer,
            "reducer": REDUCER,
            "scored_samples": len(values),
            "unscored_samples": self.without.get(scorer, 0),
            "params": {},
            "metrics": metrics,
        }

    def reductions(self) -> list[dict[str, Any]]:
        return [
            {"scorer": name, "reducer": REDUCER, "samples": self._samples(name)}
            for name in self.scorers
        ]

    def _samples(self, scorer: str) -> Sequence[dict[str, Any]]:
        return [{"sample_id": name, "value": value} for name, value in self.reduced(scorer).items()]


def _metric(name: str, value: float) -> dict[str, Any]:
    return {"name": name, "value": value, "params": {}}
