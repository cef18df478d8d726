"""What becomes of an evaluation after an attempt."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from evalbox.domain.evaluation import Evaluation, EvaluationSpec
from evalbox.domain.outcome import Outcome
from evalbox.domain.retry import RetryPolicy
from evalbox.domain.state import FINAL, State
from evalbox.scheduler.following import FREE_PASSES, following

NOW = 1_700_000_000.0


def evaluation(retries: int, infra_retries: int) -> Evaluation:
    policy = RetryPolicy(retries=retries, infra_retries=infra_retries)
    spec = EvaluationSpec(name="any", command=("true",), image="any", retry=policy)
    return Evaluation("id", spec, State.RUNNING, NOW, NOW)


@given(
    st.integers(0, 4),
    st.integers(0, 4),
    st.lists(st.tuples(st.sampled_from(Outcome), st.booleans()), min_size=40, max_size=40),
)
def test_every_evaluation_ends(
    retries: int, infra_retries: int, fates: list[tuple[Outcome, bool]]
) -> None:
    one = evaluation(retries, infra_retries)
    for number, (outcome, down) in enumerate(fates, 1):
        outage = down and outcome is Outcome.INFRA_ERROR
        one = replace(one, attempts=number)
        after = following(one, outcome, NOW, chance=0.5, outage=outage)
        assert (after.state is State.QUEUED) is (after.not_before is not None)
        if after.state in FINAL:
            assert number <= 1 + retries + infra_retries + FREE_PASSES
            return
        burnt = after.failures + after.infra_failures - one.failures - one.infra_failures
        assert burnt in ((0, 1) if outage else (1,))
        one = replace(one, failures=after.failures, infra_failures=after.infra_failures)
    raise AssertionError("it was tried for ever")


def test_an_outage_costs_no_try() -> None:
    one = replace(evaluation(0, 0), attempts=1)
    after = following(one, Outcome.INFRA_ERROR, NOW, chance=0.0, outage=True)
    assert (after.state, after.infra_failures) == (State.QUEUED, 0)
    after = following(one, Outcome.INFRA_ERROR, NOW, chance=0.0, outage=False)
    assert (after.state, after.infra_failures) == (State.DEAD, 1)
