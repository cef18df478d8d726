"""The reduce step of a batch against a model: whatever ends, is retried, removed, or reopened."""

import asyncio
import tempfile
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from evalbox.domain.attempt import Usage, Verdict
from evalbox.domain.clock import ManualClock
from evalbox.domain.evaluation import EvaluationSpec
from evalbox.domain.outcome import Outcome
from evalbox.domain.records import EvaluationFilter
from evalbox.domain.reduction import REDUCES, BatchPlan, ReductionState
from evalbox.domain.state import ACTIVE, FINAL, State
from evalbox.service.conductor import keyed
from evalbox.store.store import Store

MEMBER = EvaluationSpec(name="x", command=("true",), image="i", engine="fake", batch="b")
OUTCOMES = {
    State.COMPLETED: Outcome.OK,
    State.FAILED: Outcome.FAILED,
    State.DEAD: Outcome.INFRA_ERROR,
    State.QUEUED: Outcome.INFRA_ERROR,
}


def step(number: int) -> EvaluationSpec:
    return EvaluationSpec(
        name=f"step {number}", command=("cat",), image="i", engine="held", labels={REDUCES: "b"}
    )


class ReductionMachine(RuleBasedStateMachine):
    """``looks`` are what several processes may have seen before they act, however much later."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.runner = asyncio.Runner()
        self.clock = ManualClock()
        self.store = self.opened()
        self.states: dict[str, State] = {}
        self.attempts: dict[str, int] = {}
        self.reduction: ReductionState | None = None
        self.fail_fast = False
        self.looks: list[tuple[EvaluationSpec, int]] = []
        self.changes: list[int] = [0]
        self.planned = 0
        self.made: list[str] = []
        #: The newest event when nothing could be done yet.
        self.idle = 0

    def do(self, work: Coroutine[Any, Any, Any]) -> Any:
        return self.runner.run(work)

    def opened(self) -> Store:
        store: Store = self.do(Store.open(Path(self.folder.name), clock=self.clock))
        return store

    def teardown(self) -> None:
        self.do(self.store.close())
        self.runner.close()
        self.folder.cleanup()

    def some(self, wanted: Callable[[State], bool], index: int) -> str | None:
        found = [one for one, state in self.states.items() if wanted(state)]
        return found[index % len(found)] if found else None

    def changed(self) -> None:
        self.changes.append(self.do(self.store.last_seq()))

    def due(self) -> bool:
        waits = self.reduction is ReductionState.WAITING
        return waits and FINAL.issuperset(self.states.values())

    @rule(count=st.integers(1, 3))
    def submit(self, count: int) -> None:
        for made in self.do(self.store.submit([MEMBER] * count, self.clock.now())):
            self.states[made.id] = State.QUEUED
        self.changed()

    @rule(count=st.integers(1, 3))
    def claim(self, count: int) -> None:
        claimed = self.do(
            self.store.claim(
                count, self.clock.now(), free_cpus=9.0, free_memory=1 << 50,
                held_engines=frozenset({"held"}), in_order=False,
            )
        )  # fmt: skip
        for one in claimed:
            self.states[one.id], self.attempts[one.id] = State.STARTING, one.attempts
        if claimed:
            self.changed()

    @rule(index=st.integers(0, 9), state=st.sampled_from(list(OUTCOMES)))
    def finish(self, index: int, state: State) -> None:
        one = self.some(lambda state: state in ACTIVE, index)
        if one is None:
            return
        self.do(
            self.store.finish(
                one, self.attempts[one], self.clock.now(), verdict=Verdict(OUTCOMES[state]),
                usage=Usage(), state=state, not_before=None, failures=0, infra_failures=0,
            )
        )  # fmt: skip
        self.states[one] = self.do(self.store.get(one)).state
        self.changed()

    @rule(index=st.integers(0, 9))
    def cancel(self, index: int) -> None:
        one = self.some(lambda state: state not in FINAL, index)
        if one is not None:
            self.do(self.store.request_cancel([one], self.clock.now()))
            self.states[one] = self.do(self.store.get(one)).state
            self.changed()

    @rule(index=st.integers(0, 9))
    def retry(self, index: int) -> None:
        one = self.some(lambda state: state in FINAL, index)
        if one is not None:
            self.do(self.store.retry([one], self.clock.now()))
            self.states[one] = State.QUEUED
            self.changed()

    @rule(index=st.integers(0, 9))
    def remove(self, index: int) -> None:
        one = self.some(lambda state: state in FINAL, index)
        if one is not None:
            self.do(self.store.remove([one]))
            del self.states[one]
            self.changed()

    @rule(fail_fast=st.booleans(), reduce=st.booleans())
    def plan(self, fail_fast: bool, reduce: bool) -> None:
        self.planned += 1
        plan = BatchPlan(fail_fast, step(self.planned) if reduce else None)
        self.do(self.store.plan_batch("b", plan, self.clock.now()))
        self.fail_fast = fail_fast
        self.reduction = ReductionState.WAITING if reduce else None
        self.changed()

    @rule()
    def look(self) -> None:
        found = self.do(self.store.due_reduction("b"))
        assert (found is not None) == self.due()
        if found is not None:
            assert found[0].name == f"step {self.planned}"
            self.looks.append(found)

    @rule(index=st.integers(0, 9))
    def make(self, index: int) -> None:
        if not self.looks:
            return
        spec, since = self.looks[index % len(self.looks)]
        stale = self.changes[-1] > since
        # What the others left is of their states, so that other states make another step.
        left = keyed("b", spec, [])
        made = self.do(self.store.make_reduction("b", left, since, self.clock.now()))
        assert (made is not None) == (not stale and self.due())
        if made is not None:
            self.made.append(made)
            self.reduction = ReductionState.MADE
            self.changed()

    @rule()
    def refuse(self) -> None:
        self.do(self.store.refuse_reduction("b", "too much", self.clock.now()))
        if self.reduction is ReductionState.WAITING:
            self.reduction = ReductionState.REFUSED
            self.changed()

    @rule()
    def reopen(self) -> None:
        self.do(self.store.close())
        self.store = self.opened()

    @invariant()
    def what_is_planned_is_kept(self) -> None:
        waits = self.reduction is ReductionState.WAITING
        expected = ["b"] if waits or self.fail_fast else []
        assert self.do(self.store.planned()) == expected
        assert self.do(self.store.fails_fast("b")) == self.fail_fast
        if self.states or self.planned:
            reduction = self.do(self.store.batch("b")).reduction
            assert (None if reduction is None else reduction.state) == self.reduction

    @invariant()
    def each_plan_makes_one_step(self) -> None:
        found = self.do(self.store.list(EvaluationFilter(labels={REDUCES: "b"}), limit=1000))
        assert sorted(one.id for one in found) == sorted(self.made)
        assert len({one.spec.name for one in found}) == len(found)

    @invariant()
    def whoever_leads_is_told_when_there_is_something_to_do(self) -> None:
        """Of what could not be done at an event and now can, there is word behind that event."""
        states = list(self.states.values())
        ready = self.due() and states and State.CANCELLED not in states
        failed = self.fail_fast and not {State.FAILED, State.DEAD}.isdisjoint(states)
        if ready or (failed and not FINAL.issuperset(states)):
            assert self.do(self.store.stirred(self.idle)) == ["b"]
        else:
            self.idle = self.do(self.store.last_seq())


TestReductions = ReductionMachine.TestCase
TestReductions.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
