"""What changed from one batch to another, evaluation by evaluation."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from evalbox.domain.evaluation import AGENT, Evaluation
from evalbox.domain.outcome import Outcome
from evalbox.domain.score import ScoreKind
from evalbox.domain.state import State
from evalbox.domain.statistics import Paired, Rated, paired

#: Labels that part evaluations of one task, beside who attempts it.
_PARTING = ("epoch", "sample")


class Change(StrEnum):
    """From what most needs a look to what needs none."""

    REGRESSION = "regression"
    FIX = "fix"
    OUTCOME = "outcome"
    SCORE = "score"
    REMOVED = "removed"
    ADDED = "added"
    SAME = "same"


_ORDER = {change: place for place, change in enumerate(Change)}


@dataclass(frozen=True, slots=True, order=True)
class Key:
    """By what two evaluations are the same work: ``ordinal`` tells those apart that agree."""

    name: str
    agent: str = ""
    sample: str = ""
    ordinal: int = 0


@dataclass(frozen=True, slots=True)
class Pair:
    """The same work in the one batch and in the other; None where it is in only one."""

    key: Key
    before: Evaluation | None
    after: Evaluation | None
    change: Change

    @property
    def gain(self) -> float | None:
        """By how much its score grew; None unless both are numbers."""
        first, second = number_of(self.before), number_of(self.after)
        return None if first is None or second is None else second - first


@dataclass(frozen=True, slots=True)
class Totals(Rated):
    """``judged`` passed or failed; ``scored`` have a number, ``mean_score`` is the mean of them."""

    total: int
    judged: int
    passed: int
    scored: int
    mean_score: float | None


@dataclass(frozen=True, slots=True)
class Comparison:
    """``pairs`` has regressions first. The differences are of those that are in both batches."""

    pairs: tuple[Pair, ...]
    before: Totals
    after: Totals
    pass_difference: Paired | None
    score_difference: Paired | None

    @property
    def counts(self) -> Counter[Change]:
        return Counter(pair.change for pair in self.pairs)


def compare(before: Sequence[Evaluation], after: Sequence[Evaluation]) -> Comparison:
    """Evaluations match by task, agent, and the labels ``epoch`` and ``sample``.

    Where no agent is in both, it is agents that are compared, and work matches without them.
    Of several that agree in all, the oldest match.
    """
    agents = {_agent(item) for item in before} & {_agent(item) for item in after}
    first, second = _keyed(before, by_agent=bool(agents)), _keyed(after, by_agent=bool(agents))
    pairs = [
        Pair(key, first.get(key), second.get(key), change_of(first.get(key), second.get(key)))
        for key in first.keys() | second.keys()
    ]
    pairs.sort(key=lambda pair: (_ORDER[pair.change], pair.gain or 0.0, pair.key))
    return Comparison(
        tuple(pairs),
        _totals(before),
        _totals(after),
        paired([(one.key.name, gain) for one in pairs if (gain := _pass_gain(one)) is not None]),
        paired([(one.key.name, gain) for one in pairs if (gain := one.gain) is not None]),
    )


def change_of(before: Evaluation | None, after: Evaluation | None) -> Change:
    if before is None:
        return Change.ADDED
    if after is None:
        return Change.REMOVED
    was, is_ = passed(before), passed(after)
    if was is True and is_ is False:
        return Change.REGRESSION
    if was is False and is_ is True:
        return Change.FIX
    if (before.outcome, before.state) != (after.outcome, after.state):
        return Change.OUTCOME
    return Change.SAME if _score(before) == _score(after) else Change.SCORE


def passed(item: Evaluation) -> bool | None:
    """None where it neither passed nor failed: it has not ended, was cancelled or lost to the box,
    the task itself broke, or its score is invalid or left to a person.
    """
    if item.state is State.FAILED:
        return None if item.outcome is Outcome.TASK_ERROR else False
    unsettled = item.score is not None and item.score.kind is not ScoreKind.NUMBER
    return True if item.state is State.COMPLETED and not unsettled else None


def number_of(item: Evaluation | None) -> float | None:
    return item.score.value if item is not None and item.score is not None else None


def _keyed(items: Iterable[Evaluation], *, by_agent: bool) -> dict[Key, Evaluation]:
    found: dict[Key, Evaluation] = {}
    seen: Counter[tuple[str, str, str]] = Counter()
    for item in sorted(items, key=lambda item: item.id):
        labels = item.spec.labels
        sample = " ".join(f"{label}={labels[label]}" for label in _PARTING if label in labels)
        same = (item.spec.name, _agent(item) if by_agent else "", sample)
        found[Key(*same, ordinal=seen[same])] = item
        seen[same] += 1
    return found


def _agent(item: Evaluation) -> str:
    return item.spec.labels.get(AGENT, "")


def _score(item: Evaluation) -> tuple[str, float | None] | None:
    return (item.score.kind, item.score.value) if item.score is not None else None


def _pass_gain(pair: Pair) -> float | None:
    if pair.before is None or pair.after is None:
        return None
    was, is_ = passed(pair.before), passed(pair.after)
    return None if was is None or is_ is None else float(is_) - float(was)


def _totals(items: Sequence[Evaluation]) -> Totals:
    verdicts = [verdict for item in items if (verdict := passed(item)) is not None]
    scores = [value for item in items if (value := number_of(item)) is not None]
    mean = sum(scores) / len(scores) if scores else None
    return Totals(len(items), len(verdicts), sum(verdicts), len(scores), mean)
