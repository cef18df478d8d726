"""What changed between batches and between evaluations."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalbox.domain import comparing
from evalbox.domain.comparison import Change, change_of, compare, passed
from evalbox.domain.difference import asked, became
from evalbox.domain.evaluation import Evaluation, EvaluationSpec
from evalbox.domain.limits import Limits
from evalbox.domain.outcome import Outcome
from evalbox.domain.score import Score, ScoreCheck, ScoreKind
from evalbox.domain.state import State, final_state
from evalbox.domain.statistics import paired

_number = itertools.count()


def one(name: str, outcome: Outcome | None = Outcome.OK, **other: Any) -> Evaluation:
    labels = other.pop("labels", {})
    score = other.pop("score", None)
    if isinstance(score, float):
        score = Score(ScoreKind.NUMBER, score)
    state = State.RUNNING if outcome is None else final_state(outcome)
    spec = EvaluationSpec(name, ("true",), "image", labels=labels, **other)
    return Evaluation(f"{next(_number):022d}", spec, state, 1.0, 2.0, outcome=outcome, score=score)


def changes(before: list[Evaluation], after: list[Evaluation]) -> dict[str, Change]:
    return {pair.key.name: pair.change for pair in compare(before, after).pairs}


def test_regressions_come_first() -> None:
    found = compare(
        [one("same"), one("worse"), one("better", Outcome.FAILED), one("gone"),
         one("slow", Outcome.FAILED), one("scored", score=1.0)],
        [one("same"), one("worse", Outcome.TIMEOUT), one("better"), one("new"),
         one("slow", Outcome.TIMEOUT), one("scored", score=0.5)],
    )  # fmt: skip
    assert [(pair.key.name, pair.change) for pair in found.pairs] == [
        ("worse", Change.REGRESSION),
        ("better", Change.FIX),
        ("slow", Change.OUTCOME),
        ("scored", Change.SCORE),
        ("gone", Change.REMOVED),
        ("new", Change.ADDED),
        ("same", Change.SAME),
    ]
    assert comparing.counts(found) == (
        "1 regression, 1 fix, 1 other change of outcome, 1 change of score alone, "
        "1 only in the first, 1 only in the second, 1 the same"
    )


def test_scores_that_fell_most_come_first() -> None:
    names = {"a": -0.1, "b": -0.9, "c": 0.5}
    found = compare(
        [one(name, score=1.0) for name in names],
        [one(name, score=1.0 + by) for name, by in names.items()],
    )
    assert [pair.key.name for pair in found.pairs] == ["b", "a", "c"]


def test_work_matches_by_task_agent_epoch_and_sample() -> None:
    def batch(outcome: Outcome) -> list[Evaluation]:
        return [
            one("t", outcome if (agent, epoch) == ("x", "2") else Outcome.OK,
                labels={"agent": agent, "epoch": epoch, "seed": str(next(_number))})
            for agent in "xy" for epoch in "12"
        ]  # fmt: skip

    found = compare(batch(Outcome.OK), batch(Outcome.FAILED))
    assert found.counts == {Change.REGRESSION: 1, Change.SAME: 3}
    assert (found.pairs[0].key.agent, found.pairs[0].key.sample) == ("x", "epoch=2")


def test_agents_are_compared_where_none_is_in_both() -> None:
    found = compare(
        [one("t", labels={"agent": "x"})], [one("t", Outcome.FAILED, labels={"agent": "y"})]
    )
    assert [pair.change for pair in found.pairs] == [Change.REGRESSION]


def test_of_several_that_agree_the_oldest_match() -> None:
    before = [one("t"), one("t", Outcome.FAILED)]
    after = [one("t"), one("t"), one("t")]
    found = compare(list(reversed(before)), after)
    assert {pair.key.ordinal: pair.change for pair in found.pairs} == {
        0: Change.SAME, 1: Change.FIX, 2: Change.ADDED,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("item", "wanted"),
    [
        (one("t"), True),
        (one("t", Outcome.FAILED), False),
        (one("t", Outcome.TASK_ERROR), None),
        (one("t", Outcome.INFRA_ERROR), None),
        (one("t", Outcome.CANCELLED), None),
        (one("t", None), None),
        (one("t", score=0.0), True),
        (one("t", score=Score(ScoreKind.INVALID)), None),
        (one("t", score=Score(ScoreKind.MANUAL)), None),
        (one("t", Outcome.FAILED, score=Score(ScoreKind.INVALID)), False),
    ],
)
def test_who_passed(item: Evaluation, wanted: bool | None) -> None:
    assert passed(item) is wanted


def test_what_was_lost_to_the_box_is_no_regression() -> None:
    assert change_of(one("t"), one("t", Outcome.INFRA_ERROR)) is Change.OUTCOME
    assert change_of(one("t"), one("t", score=Score(ScoreKind.INVALID))) is Change.SCORE


def test_totals_and_differences() -> None:
    found = compare(
        [one(str(n), Outcome.OK if n < 5 else Outcome.FAILED, score=0.5) for n in range(10)],
        [one(str(n), Outcome.OK if n < 7 else Outcome.FAILED, score=n / 10) for n in range(10)],
    )
    assert (found.before.passed, found.before.judged) == (5, 10)
    assert found.after.pass_rate == 0.7
    difference = found.pass_difference
    assert difference is not None
    assert difference.error is not None
    assert difference.mean == pytest.approx(0.2)
    # The standard error of ten paired differences, two of which are 1.
    assert difference.error == pytest.approx((0.2 * 0.8 / 9) ** 0.5)
    assert [row[0] for row in comparing.totals(found)] == [
        "evaluations", "passed", "pass rate", "mean score",
    ]  # fmt: skip
    rate = list(comparing.totals(found))[2]
    assert rate == ("pass rate", "50.0 % [24-76]", "70.0 % [40-89]", "+20 ± 13 % (10 pairs)")


def test_nothing_can_be_compared_with_nothing() -> None:
    found = compare([], [])
    assert comparing.counts(found) == "nothing in either"
    assert list(comparing.totals(found))[2] == ("pass rate", "-", "-", "-")


_outcomes = st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from(Outcome)), max_size=12)


@given(_outcomes, _outcomes)
def test_every_evaluation_is_in_exactly_one_pair(
    before: list[tuple[str, Outcome]], after: list[tuple[str, Outcome]]
) -> None:
    first, second = [one(*each) for each in before], [one(*each) for each in after]
    found = compare(first, second)
    assert sorted(p.before.id for p in found.pairs if p.before) == sorted(i.id for i in first)
    assert sorted(p.after.id for p in found.pairs if p.after) == sorted(i.id for i in second)
    # The other way round regressions are fixes.
    turned = compare(second, first)
    assert turned.counts[Change.FIX] == found.counts[Change.REGRESSION]
    assert turned.counts[Change.ADDED] == found.counts[Change.REMOVED]
    assert turned.counts[Change.SAME] == found.counts[Change.SAME]


@given(st.lists(st.floats(-1e6, 1e6), max_size=30))
def test_paired_differences(values: list[float]) -> None:
    found = paired([(str(number), value) for number, value in enumerate(values)])
    if not values:
        assert found is None
        return
    assert found is not None
    assert found.pairs == len(values)
    assert min(values) - 1e-6 <= found.mean <= max(values) + 1e-6
    assert (found.error is None) is (len(values) == 1)
    assert found.error is None or found.error >= 0


def test_two_evaluations() -> None:
    before = one("a", limits=Limits(), env={"TOKEN": "secret"})
    checks = (ScoreCheck("fast", passed=False, value=1.5),)
    after = one(
        "b", Outcome.FAILED, labels={"k": "v"}, score=Score(ScoreKind.NUMBER, 0.5, checks=checks)
    )
    told = {item.field: (item.before, item.after) for item in asked(before, after)}
    assert told == {"task": ("a", "b"), "environment": ("TOKEN", "-"), "label k": ("-", "v")}
    results = {item.field: (item.before, item.after) for item in became(before, after)}
    assert results["outcome"] == ("ok", "failed")
    assert results["score"] == ("-", "0.5")
    assert results["check fast"] == ("-", "failed 1.5")
    assert "secret" not in repr([told, results])
    assert asked(before, before) == []
    assert not any(item.differs for item in became(before, before))
