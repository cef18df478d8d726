"""What a box does with a batch by itself: it ends it early, and reduces it, whoever is killed."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from recovery_support import ended, opened, output, settings_in, spec, until

from evalbox.domain.clock import SystemClock
from evalbox.domain.evaluation import Evaluation, InputFile
from evalbox.domain.records import EvaluationFilter
from evalbox.domain.reduction import REDUCES, BatchPlan, ReductionState
from evalbox.domain.state import State
from evalbox.engines.fake import FakeEngine
from evalbox.service import conductor
from evalbox.service.local import LocalBox
from evalbox.store.store import Store

STEP = BatchPlan(reduce=spec("cat", "/in/results.json"))


async def steps(box: LocalBox) -> list[Evaluation]:
    return list(await box.list(EvaluationFilter(labels={REDUCES: "b"})))


async def reduced(box: LocalBox) -> Evaluation:
    async def made() -> bool:
        found = (await box.batch("b")).reduction
        return found is not None and found.state is ReductionState.MADE

    await until(made)
    (step,) = await steps(box)
    return await ended(box, step.id)


async def test_it_is_reduced_when_the_last_has_ended(tmp_path: Path) -> None:
    async with opened(settings_in(tmp_path), FakeEngine()) as box:
        await box.submit([spec("echo", "one", batch="b"), spec("false", batch="b")])
        await box.plan_batch("b", STEP)
        step = await reduced(box)
        told = json.loads(await output(box, step.id))
        assert [(one["task"], one["outcome"]) for one in told] == [
            ("echo", "ok"),
            ("false", "failed"),
        ]
        assert (step.spec.batch, step.spec.labels) == (None, {REDUCES: "b"})
        # The same results are reduced once.
        await box.plan_batch("b", STEP)
        assert (await reduced(box)).id == step.id


async def test_what_was_killed_between_the_last_end_and_the_step_is_gone_on_with(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is dead writes nothing: so a process ends that is killed before, and after, it did."""
    settings, engine = settings_in(tmp_path), FakeEngine()
    gathered = asyncio.Event()

    async def never(*_: Any) -> list[InputFile]:
        gathered.set()
        await asyncio.Event().wait()
        return []

    with monkeypatch.context() as patch:
        patch.setattr(conductor, "gather", never)
        async with opened(settings, engine) as box:
            await box.submit([spec("true", batch="b")])
            await box.plan_batch("b", STEP)
            async with asyncio.timeout(10):
                await gathered.wait()
            assert not await steps(box)
    for _ in range(2):
        async with opened(settings, engine) as box:
            await reduced(box)
            assert len(await steps(box)) == 1


async def test_it_waits_while_one_was_cancelled(tmp_path: Path) -> None:
    async with opened(settings_in(tmp_path), FakeEngine()) as box:
        made = await box.submit([spec("true", batch="b"), spec("sleep", "inf", batch="b")])
        await box.plan_batch("b", STEP)
        await box.cancel([made[1].id])
        await ended(box, made[0].id)
        found = (await box.batch("b")).reduction
        assert found is not None
        assert found.state is ReductionState.WAITING
        assert not await steps(box)


async def test_without_the_one_that_was_cancelled_it_is_reduced(tmp_path: Path) -> None:
    settings = settings_in(tmp_path)
    async with opened(settings, FakeEngine()) as box:
        made = await box.submit([spec("true", batch="b"), spec("sleep", "inf", batch="b")])
        await box.cancel([made[1].id])
        for one in made:
            await ended(box, one.id)
    async with opened(settings, FakeEngine(), work=False) as box:
        await box.plan_batch("b", STEP)
        after = await box.last_seq()
        await box.remove([made[1].id])
        # Whoever leads it looks again, even where the last look was long before.
        assert await box._store.stirred(after) == ["b"]
    async with opened(settings, FakeEngine()) as box:
        assert len(json.loads(await output(box, (await reduced(box)).id))) == 1


async def test_the_first_that_fails_ends_the_rest(tmp_path: Path) -> None:
    settings = settings_in(tmp_path, slots=1)
    async with opened(settings, FakeEngine(), work=False) as box:
        made = await box.submit([spec("false", batch="b"), *[spec("sleep", "inf", batch="b")] * 5])
        await box.plan_batch("b", BatchPlan(fail_fast=True))
    async with opened(settings, FakeEngine()) as box:
        for one in made[1:]:
            assert (await ended(box, one.id)).state is State.CANCELLED
        assert (await box.get(made[0].id)).state is State.FAILED


async def test_a_step_that_is_looked_at_twice_is_made_once(tmp_path: Path) -> None:
    clock = SystemClock()
    async with await Store.open(tmp_path, clock=clock) as store:
        await store.submit([spec("true", batch="b")], clock.now())
        await store.plan_batch("b", STEP, clock.now())
        assert await store.due_reduction("b") is None
        (one,) = await store.list(limit=1)
        await store.request_cancel([one.id], clock.now())
        due = await store.due_reduction("b")
        assert due is not None
        step, since = due
        keyed = conductor.keyed("b", step, [])
        # Something happened since it was looked at.
        assert await store.make_reduction("b", keyed, since - 1, clock.now()) is None
        first, second = await asyncio.gather(
            store.make_reduction("b", keyed, since, clock.now()),
            store.make_reduction("b", keyed, since, clock.now()),
        )
        assert [first, second].count(None) == 1
        assert len(await store.list(EvaluationFilter(labels={}), limit=9)) == 2


async def test_what_it_needs_itself_is_kept_while_it_waits(tmp_path: Path) -> None:
    clock = SystemClock()
    async with await Store.open(tmp_path, clock=clock) as store:
        blob, size = await store.put_blob(b"script")
        step = spec("cat", "/x", inputs=(InputFile("/x", blob, size),), env={"A": "secret"})
        await store.plan_batch("b", BatchPlan(reduce=step), clock.now())
        await store.collect_garbage(clock.now() + 1e6)
        assert store.blob_path(blob).is_file()
        due = await store.due_reduction("b")
        assert due is not None
        assert dict(due[0].env) == {"A": "secret"}
        await store.plan_batch("b", BatchPlan(), clock.now())
        await store.collect_garbage(clock.now() + 1e6)
        assert not store.blob_path(blob).is_file()
