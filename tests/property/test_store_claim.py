"""The claim against a model that sorts and filters a list."""

import asyncio
import tempfile
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from evalbox.domain.attempt import Usage, Verdict
from evalbox.domain.clock import ManualClock
from evalbox.domain.evaluation import EvaluationSpec, Priority
from evalbox.domain.limits import MIB, Limits
from evalbox.domain.outcome import Outcome
from evalbox.domain.state import ACTIVE, FINAL, State
from evalbox.errors import InvalidTransition
from evalbox.store.store import Store

BATCHES = [None, "a", "b"]
ENGINES = ["fake", "gvisor"]
priorities = st.sampled_from(Priority)


@dataclass
class Model:
    id: str
    spec: EvaluationSpec
    state: State
    not_before: float | None
    attempts: int = 0
    cancel: bool = False


def fits(one: Model, cpus: float, memory: int) -> bool:
    return one.spec.limits.cpus <= cpus and one.spec.limits.memory <= memory


class ClaimMachine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.runner = asyncio.Runner()
        self.clock = ManualClock()
        self.store = self.do(Store.open(Path(self.folder.name), clock=self.clock))
        self.model: dict[str, Model] = {}
        self.limits: dict[str, int | None] = {}
        self.paused = False

    def do(self, work: Coroutine[Any, Any, Any]) -> Any:
        return self.runner.run(work)

    def teardown(self) -> None:
        self.do(self.store.close())
        self.runner.close()
        self.folder.cleanup()

    def some(self, wanted: Callable[[Model], bool], index: int) -> Model | None:
        found = [one for one in self.model.values() if wanted(one)]
        return found[index % len(found)] if found else None

    @rule()
    def wait(self) -> None:
        self.clock.advance(1.0)

    @rule(
        count=st.integers(1, 4),
        priority=priorities,
        batch=st.sampled_from(BATCHES),
        engine=st.sampled_from(ENGINES),
        cpus=st.sampled_from([0.5, 1.0, 3.0]),
        memory=st.sampled_from([64 * MIB, 512 * MIB]),
        delay=st.sampled_from([None, None, -1.0, 1.5, 3.0]),
    )
    def submit(
        self,
        count: int,
        priority: Priority,
        batch: str | None,
        engine: str,
        cpus: float,
        memory: int,
        delay: float | None,
    ) -> None:
        spec = EvaluationSpec(
            name="x",
            command=("true",),
            image="i",
            engine=engine,
            priority=priority,
            batch=batch,
            limits=Limits(cpus=cpus, memory=memory),
            not_before=None if delay is None else self.clock.now() + delay,
        )
        for made in self.do(self.store.submit([spec] * count, self.clock.now())):
            self.model[made.id] = Model(made.id, spec, State.QUEUED, spec.not_before)

    @rule(
        limit=st.integers(0, 4),
        cpus=st.sampled_from([0.5, 1.0, 2.0, 100.0]),
        memory=st.sampled_from([64 * MIB, 600 * MIB, 100_000 * MIB]),
        held=st.sampled_from([frozenset[str](), frozenset({"fake"})]),
        in_order=st.booleans(),
    )
    def claim(
        self, limit: int, cpus: float, memory: int, held: frozenset[str], in_order: bool
    ) -> None:
        now = self.clock.now()
        free: dict[str, Any] = {"free_cpus": cpus, "free_memory": memory, "held_engines": held}
        claimed = self.do(self.store.claim(limit, now, in_order=in_order, **free))
        expected: list[str] = []
        while len(expected) < limit and not self.paused:
            able = [one for one in self.model.values() if self.eligible(one, held)]
            best = self.first(able if in_order else [o for o in able if fits(o, cpus, memory)])
            if best is None or not fits(best, cpus, memory):
                break
            best.state, best.not_before = State.STARTING, None
            best.attempts += 1
            cpus -= best.spec.limits.cpus
            memory -= best.spec.limits.memory
            expected.append(best.id)
        assert [one.id for one in claimed] == expected
        assert all(one.attempts == self.model[one.id].attempts for one in claimed)

    def first(self, able: list[Model]) -> Model | None:
        return min(able, key=lambda one: (one.spec.priority, one.id), default=None)

    def eligible(self, one: Model, held: frozenset[str]) -> bool:
        batch = one.spec.batch
        running = sum(
            other.spec.batch == batch and other.state in ACTIVE for other in self.model.values()
        )
        most = self.limits.get(batch) if batch else None
        return (
            one.state is State.QUEUED
            and (one.not_before is None or one.not_before <= self.clock.now())
            and one.spec.engine not in held
            and (most is None or running < most)
        )

    @rule(cpus=st.sampled_from([0.5, 1.0, 2.0]))
    def passed_over(self, cpus: float) -> None:
        # Promotes what is due, as every look at the queue by the scheduler does.
        self.claim(limit=1, cpus=0.0, memory=0, held=frozenset(), in_order=False)
        if not self.paused:
            first = self.first([o for o in self.model.values() if self.eligible(o, frozenset())])
            lacking = first is not None and not fits(first, cpus, 1 << 50)
            told = self.do(self.store.passed_over(free_cpus=cpus, free_memory=1 << 50))
            assert told == (first.id if first is not None and lacking else None)

    @rule(index=st.integers(0, 100), again=st.sampled_from([None, 0.0, 2.0]))
    def finish(self, index: int, again: float | None) -> None:
        one = self.some(lambda one: one.state in ACTIVE, index)
        if one is None:
            return
        now = self.clock.now()
        state = State.COMPLETED if again is None else State.QUEUED
        done = self.do(
            self.store.finish(
                one.id,
                one.attempts,
                now,
                verdict=Verdict(Outcome.OK),
                usage=Usage(),
                state=state,
                not_before=None if again is None else now + again,
                failures=0,
                infra_failures=0,
            )
        )
        assert done
        if one.cancel and state is State.QUEUED:
            state, again = State.CANCELLED, None
        one.state, one.not_before = state, None if again is None else now + again

    @rule(index=st.integers(0, 100))
    def cancel(self, index: int) -> None:
        one = self.some(lambda one: one.state not in FINAL, index)
        if one is not None:
            self.do(self.store.request_cancel([one.id], self.clock.now()))
            one.cancel = True
            if one.state is State.QUEUED:
                one.state = State.CANCELLED

    @rule(indices=st.lists(st.integers(0, 100), max_size=3), priority=priorities)
    def prioritize(self, indices: list[int], priority: Priority) -> None:
        """All or none: what is not queued keeps the others from being moved, too."""
        found = [one for index in indices if (one := self.some(lambda one: True, index))]
        ids = [one.id for one in found]
        if all(one.state is State.QUEUED for one in found):
            moved = self.do(self.store.prioritize(ids, priority, self.clock.now()))
            for one in found:
                one.spec = replace(one.spec, priority=priority)
            assert [made.id for made in moved] == list(dict.fromkeys(ids))
            assert all(made.spec.priority is priority for made in moved)
        else:
            with pytest.raises(InvalidTransition):
                self.do(self.store.prioritize(ids, priority, self.clock.now()))

    @rule(index=st.integers(0, 100))
    def retry(self, index: int) -> None:
        one = self.some(lambda one: one.state in FINAL, index)
        if one is not None:
            self.do(self.store.retry([one.id], self.clock.now()))
            one.state, one.not_before, one.cancel = State.QUEUED, None, False

    @rule(index=st.integers(0, 100))
    def remove(self, index: int) -> None:
        one = self.some(lambda one: one.state in FINAL, index)
        if one is not None:
            self.do(self.store.remove([one.id]))
            del self.model[one.id]

    @rule(batch=st.sampled_from(["a", "b"]), most=st.sampled_from([None, 1, 2]))
    def limit_batch(self, batch: str, most: int | None) -> None:
        self.do(self.store.set_batch_concurrency(batch, most, self.clock.now()))
        self.limits[batch] = most

    @rule()
    @precondition(lambda self: not self.paused)
    def pause(self) -> None:
        self.paused = True
        self.do(self.store.set_paused(True, self.clock.now()))

    @rule()
    @precondition(lambda self: self.paused)
    def resume(self) -> None:
        self.paused = False
        self.do(self.store.set_paused(False, self.clock.now()))

    @rule()
    def tidy(self) -> None:
        self.do(self.store.collect_garbage(self.clock.now()))

    @invariant()
    def states_agree(self) -> None:
        counts = self.do(self.store.count_by_state())
        for state in State:
            assert counts[state] == sum(one.state is state for one in self.model.values())

    @invariant()
    def next_due_agrees(self) -> None:
        # Those that are due but not promoted yet may be told as well.
        due = self.do(self.store.next_due(self.clock.now()))
        later = [
            one.not_before
            for one in self.model.values()
            if one.state is State.QUEUED
            and one.not_before is not None
            and one.not_before > self.clock.now()
        ]
        if later:
            assert due is not None
            assert due <= min(later)


TestClaim = ClaimMachine.TestCase
TestClaim.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
