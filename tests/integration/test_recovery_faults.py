"""What goes wrong around an attempt costs it no more than it must, and is never blamed on it."""

from __future__ import annotations

import asyncio
import os
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from recovery_support import (
    AT_ONCE,
    Meddled,
    ended,
    opened,
    output,
    reaches,
    run,
    settings_in,
    spec,
    until,
)

from evalbox.config.settings import Settings
from evalbox.domain.limits import Limits
from evalbox.domain.outcome import Outcome
from evalbox.domain.retry import RetryPolicy
from evalbox.domain.state import State
from evalbox.engines.fake import FakeEngine
from evalbox.errors import (
    EngineError,
    EngineUnavailable,
    EvaluationNotFound,
    InvalidInput,
    StoreError,
    StoreFull,
)
from evalbox.scheduler import attempt as attempt_module
from evalbox.scheduler import collection as collection_module
from evalbox.scheduler import gate as gate_module
from evalbox.scheduler import scheduler as scheduler_module
from evalbox.service.local import LocalBox
from evalbox.service.worker import Worker
from evalbox.store.outputs import OutputWriter


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return settings_in(tmp_path / "box")


async def test_a_retry_begins_while_the_attempt_before_is_tidied_up(settings: Settings) -> None:
    def slowly(sandbox: Any) -> None:
        destroy = sandbox.destroy

        async def destroy_slowly() -> None:
            await asyncio.sleep(0.4)
            await destroy()

        sandbox.destroy = destroy_slowly

    engine = Meddled(slowly)
    async with opened(settings, engine) as box:
        command = ("flaky", "1", ";", "sleep", "inf")
        (evaluation,) = await box.submit([spec(*command, retry=replace(AT_ONCE, retries=1))])

        async def again() -> bool:
            found = await box.get(evaluation.id)
            return found.attempts == 2 and found.state is State.RUNNING

        await until(again)
        await asyncio.sleep(0.6)  # the first is tidied up now
        assert box.running_here == 1
        await box.cancel([evaluation.id])
        assert (await ended(box, evaluation.id)).state is State.CANCELLED


async def test_a_defect_does_not_end_the_claiming(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scheduler_module, "_RECHECK", 0.05)
    measure, failures = Worker._host_state, [RuntimeError("no measurement"), OSError("none")]

    def sometimes(worker: Worker) -> Any:
        if failures:
            raise failures.pop()
        return measure(worker)

    monkeypatch.setattr(Worker, "_host_state", sometimes)
    async with opened(settings, FakeEngine()) as box:
        assert (await run(box, spec("true"))).state is State.COMPLETED


async def test_a_store_that_fails_once_is_watched_again(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scheduler_module, "_RECHECK", 0.05)
    box = await LocalBox.open(settings, work=False, engines=[FakeEngine()])
    wait, failures = type(box._store).wait_for_change, [StoreError("the disk hiccuped")]

    async def sometimes(*args: Any) -> int:
        if failures:
            raise failures.pop()
        return await wait(*args)

    monkeypatch.setattr(type(box._store), "wait_for_change", sometimes)
    async with opened(settings, FakeEngine()) as worker:
        await asyncio.sleep(0.2)
        (evaluation,) = await box.submit([spec("true")])
        assert (await ended(worker, evaluation.id)).state is State.COMPLETED
    await box.close()


async def test_following_one_evaluations_events_does_not_spin(settings: Settings) -> None:
    async with opened(settings, FakeEngine()) as box:
        followed = await run(box, spec("true"))
        await run(box, spec("true"))
        looks = 0
        look = box._store.events

        async def counted(*args: Any, **options: Any) -> Any:
            nonlocal looks
            looks += 1
            return await look(*args, **options)

        box._store.events = counted  # type: ignore[method-assign]

        async def follow() -> None:
            async for _ in box.events(follow=True, evaluation_id=followed.id):
                pass

        following = asyncio.create_task(follow())
        await asyncio.sleep(0.3)
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)
        assert looks <= 3


async def test_a_follower_sees_the_end_that_comes_as_it_looks(settings: Settings) -> None:
    async with opened(settings, FakeEngine()) as box:
        (evaluation,) = await box.submit([spec("sleep", "0.3", ";", "echo", "done")])
        await reaches(box, evaluation.id, State.RUNNING)
        get = box._store.get
        stale = await get(evaluation.id)
        await ended(box, evaluation.id)
        await until(lambda: _idle(box))
        answers = [stale, stale]

        async def late(evaluation_id: str) -> Any:
            return answers.pop() if answers else await get(evaluation_id)

        box._store.get = late  # type: ignore[method-assign]
        async with asyncio.timeout(3):
            assert await output(box, evaluation.id, follow=True) == b"done\n"


async def _idle(box: LocalBox) -> bool:
    return box.running_here == 0


async def test_what_ended_in_time_unwatched_is_no_timeout(settings: Settings) -> None:
    engine = FakeEngine()
    wanted = spec("sleep", "0.2", ";", "echo", "done", limits=Limits(timeout=0.6))
    async with opened(settings, engine) as box:
        (evaluation,) = await box.submit([wanted])
        await reaches(box, evaluation.id, State.RUNNING)
    await asyncio.sleep(0.8)
    async with opened(settings, engine) as box:
        found = await ended(box, evaluation.id)
        assert (found.outcome, found.attempts) == (Outcome.OK, 1)
        assert await output(box, evaluation.id) == b"done\n"


async def test_what_overran_unwatched_is_a_timeout(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(attempt_module, "ADOPTION_GRACE", 0.2, raising=False)
    engine = FakeEngine()
    async with opened(settings, engine) as box:
        (evaluation,) = await box.submit([spec("sleep", "inf", limits=Limits(timeout=0.2))])
        await reaches(box, evaluation.id, State.RUNNING)
    await asyncio.sleep(0.3)
    async with opened(settings, engine) as box:
        assert (await ended(box, evaluation.id)).outcome is Outcome.TIMEOUT


async def test_artifacts_that_cannot_be_kept_do_not_hang(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def full(stream: Any, *args: Any, **options: Any) -> Any:
        await anext(stream)
        raise StoreFull("no space left for artifacts")

    monkeypatch.setattr(collection_module, "extract", full)
    async with opened(settings, FakeEngine()) as box:
        wanted = spec("artifact", "a", "text", artifacts=("a",), retry=RetryPolicy(infra_retries=0))
        found = await run(box, wanted)
        assert found.outcome is Outcome.INFRA_ERROR
        assert found.reason == "no space left for artifacts"


async def test_output_that_cannot_be_kept_is_no_defect(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any) -> None:
        raise StoreFull("no space left for output")

    monkeypatch.setattr(OutputWriter, "append", full)
    async with opened(settings, FakeEngine()) as box:
        found = await run(box, spec("echo", "a", retry=RetryPolicy(infra_retries=0)))
        assert (found.outcome, found.reason) == (Outcome.INFRA_ERROR, "no space left for output")


async def test_what_is_to_be_adopted_waits_for_its_engine(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gate_module, "_PATIENCE", 0.05)
    engine = FakeEngine()
    command = ("echo", "one", ";", "sleep", "0.3", ";", "echo", "two")
    async with opened(settings, engine) as box:
        (evaluation,) = await box.submit([spec(*command)])
        await reaches(box, evaluation.id, State.RUNNING)
    engine.down = True
    async with opened(settings, engine) as box:
        await asyncio.sleep(0.5)
        assert (await box.get(evaluation.id)).state is State.RUNNING
        engine.down = False
        found = await ended(box, evaluation.id)
        assert (found.outcome, found.attempts) == (Outcome.OK, 1)
        assert await output(box, evaluation.id) == b"one\ntwo\n"
    assert engine.host.runs[command] == 1


async def test_what_waits_to_be_adopted_can_be_cancelled(settings: Settings) -> None:
    engine = FakeEngine()
    async with opened(settings, engine) as box:
        (evaluation,) = await box.submit([spec("sleep", "inf")])
        await reaches(box, evaluation.id, State.RUNNING)
    engine.down = True
    async with opened(settings, engine) as box:
        await box.cancel([evaluation.id])
        assert (await ended(box, evaluation.id)).state is State.CANCELLED
        engine.down = False
        await until(lambda: _nothing_left(engine))


async def _nothing_left(engine: FakeEngine) -> bool:
    return not engine.host.sandboxes


async def test_what_cannot_be_adopted_runs_on_beside_no_other(settings: Settings) -> None:
    class Refusing(FakeEngine):
        async def adopt(self, sandbox_id: str) -> Any:
            raise EngineError("the fake engine refuses")

    engine = Refusing()
    async with opened(settings, engine) as box:
        (evaluation,) = await box.submit([spec("sleep", "inf")])
        await reaches(box, evaluation.id, State.RUNNING)
    async with opened(settings, engine) as box:

        async def again() -> bool:
            found = await box.get(evaluation.id)
            return found.attempts == 2 and found.state is State.RUNNING

        await until(again)
        assert len(engine.host.sandboxes) == 1


async def test_a_sandbox_that_died_while_it_waited_costs_nothing(settings: Settings) -> None:
    engine = FakeEngine()
    async with opened(settings, engine, warm=1) as box:
        await run(box, spec("true"))

        async def warmed() -> bool:
            return [item.launch for item in engine.host.sandboxes.values()] == [None]

        await until(warmed)
        for sandbox_id in list(engine.host.sandboxes):
            engine.vanish(sandbox_id)
        found = await run(box, spec("echo", "done"))
        assert (found.outcome, found.attempts) == (Outcome.OK, 1)


async def test_what_was_let_go_before_it_began_is_queued(settings: Settings) -> None:
    engine = FakeEngine(create_seconds=60)
    async with opened(settings, engine) as box:
        (evaluation,) = await box.submit([spec("true")])
        await reaches(box, evaluation.id, State.STARTING)
    async with opened(settings, engine, work=False) as box:
        found = await box.get(evaluation.id)
        assert (found.state, found.infra_failures) == (State.QUEUED, 0)


async def test_an_empty_pool_is_not_filled_beyond_the_host(settings: Settings) -> None:
    cores = os.cpu_count() or 1
    engine = FakeEngine()
    tight = replace(settings, slots=8, cpu_overcommit=1.0, memory_overcommit=1000)
    async with opened(tight, engine) as box:
        await box.pause()
        wanted = [spec("sleep", "0.05", limits=Limits(cpus=cores)) for _ in range(6)]
        made = await box.submit(wanted)
        await box.resume()
        for item in made:
            assert (await ended(box, item.id)).outcome is Outcome.OK
    assert engine.host.peak == 1


async def test_a_large_evaluation_is_not_passed_over_for_ever(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scheduler_module, "_PASSED_OVER", 0.3, raising=False)
    monkeypatch.setattr(scheduler_module, "_RECHECK", 0.05)
    cores = os.cpu_count() or 1
    tight = replace(settings, cpu_overcommit=1.0, memory_overcommit=1000)
    small = Limits(cpus=cores / 4)
    async with opened(tight, FakeEngine()) as box:
        await box.submit([spec("sleep", "0.3", limits=small)])
        (large,) = await box.submit([spec("true", limits=Limits(cpus=cores))])
        rest = await box.submit([spec("sleep", "0.15", limits=small) for _ in range(60)])
        assert (await ended(box, large.id)).outcome is Outcome.OK
        assert (await box.get(rest[-1].id)).state is State.QUEUED
        assert (await ended(box, rest[0].id)).finished_at < (  # type: ignore[operator]
            await box.get(large.id)
        ).started_at


async def test_what_is_let_end_can_still_be_cancelled(settings: Settings) -> None:
    box = await LocalBox.open(settings, work=True, engines=[FakeEngine()])
    (evaluation,) = await box.submit([spec("sleep", "inf")])
    await reaches(box, evaluation.id, State.RUNNING)
    closing = asyncio.create_task(box.close())
    await asyncio.sleep(0.1)
    async with opened(settings, FakeEngine(), work=False) as other:
        await other.cancel([evaluation.id])
        async with asyncio.timeout(5):
            await closing
        assert (await other.get(evaluation.id)).state is State.CANCELLED


async def test_a_take_over_that_fails_is_tried_again(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = await LocalBox.open(settings, work=True, engines=[FakeEngine()])
    async with opened(settings, FakeEngine()) as second:
        work, failures = Worker._work, [StoreError("the disk hiccuped")]

        async def sometimes(worker: Worker) -> None:
            if failures:
                raise failures.pop()
            await work(worker)

        monkeypatch.setattr(Worker, "_work", sometimes)
        await first.close()
        assert (await run(second, spec("true"))).state is State.COMPLETED


async def test_a_kill_that_fails_is_repeated(settings: Settings) -> None:
    failures = [EngineError("not now")]

    def once(sandbox: Any) -> None:
        kill = sandbox.kill

        async def sometimes() -> None:
            if failures:
                raise failures.pop()
            await kill()

        sandbox.kill = sometimes

    async with opened(settings, Meddled(once)) as box:
        (evaluation,) = await box.submit([spec("sleep", "inf")])
        await reaches(box, evaluation.id, State.RUNNING)
        await box.cancel([evaluation.id])
        assert (await ended(box, evaluation.id)).state is State.CANCELLED


async def test_two_kinds_of_work_do_not_throw_each_others_sandboxes_away(
    settings: Settings,
) -> None:
    engine = FakeEngine()
    async with opened(settings, engine, warm=2) as box:
        for number in range(10):
            await run(box, spec("true", user=f"{1000 + number % 2}:1000"))
    # One for each, and those that are kept ready.
    assert engine.host.created <= 10 + 2 * 2


async def test_an_evaluation_that_brings_its_engine_down_is_not_tried_for_ever(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gate_module, "_FIRST_WAIT", 0.01)
    monkeypatch.setattr(gate_module, "_LONGEST_WAIT", 0.01)

    class Picky(FakeEngine):
        async def create(self, profile: Any, **options: Any) -> Any:
            if profile.user == "0:0":
                raise EngineUnavailable("the runtime for that does not start")
            return await super().create(profile, **options)

    async with opened(settings, Picky()) as box:
        assert (await run(box, spec("true", user="0:0"))).state is State.DEAD
        assert (await run(box, spec("true"))).state is State.COMPLETED


async def test_a_tidying_that_fails_does_not_shut_the_gate_for_ever(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    failures = [OSError("who knows")]

    class Untidy(FakeEngine):
        async def reap(self, *args: Any) -> int:
            if failures:
                raise failures.pop()
            return await super().reap(*args)

    async with opened(settings, Untidy()) as box:
        assert (await run(box, spec("true"))).state is State.COMPLETED


async def test_closing_is_complete_though_cancelled(settings: Settings) -> None:
    engine = FakeEngine()
    box = await LocalBox.open(settings, work=True, engines=[engine])
    (evaluation,) = await box.submit([spec("sleep", "0.5", ";", "echo", "done")])
    await reaches(box, evaluation.id, State.RUNNING)
    closing = asyncio.create_task(box.close())
    await asyncio.sleep(0.1)
    closing.cancel()
    await asyncio.gather(closing, return_exceptions=True)
    await box.close(drain=0)
    async with opened(settings, engine) as later:
        assert (await later.queue()).here
        found = await ended(later, evaluation.id)
        assert (found.outcome, found.attempts) == (Outcome.OK, 1)


async def test_many_wait_at_the_price_of_one(settings: Settings) -> None:
    async with opened(settings, FakeEngine()) as box:
        await box.pause()
        made = await box.submit([spec("true") for _ in range(200)])
        waiting = [asyncio.create_task(box.wait(item.id)) for item in made]
        looks = 0
        get = box._store.get

        async def counted(evaluation_id: str) -> Any:
            nonlocal looks
            looks += 1
            return await get(evaluation_id)

        box._store.get = counted  # type: ignore[method-assign]
        await box.resume()
        async with asyncio.timeout(20):
            found = await asyncio.gather(*waiting)
        assert {item.state for item in found} == {State.COMPLETED}
        assert looks <= 2 * len(made)


async def test_waiting_ends_when_its_evaluation_is_removed(settings: Settings) -> None:
    async with opened(settings, FakeEngine()) as box:
        await box.pause()
        (evaluation,) = await box.submit([spec("true")])
        waiting = asyncio.create_task(box.wait(evaluation.id))
        await asyncio.sleep(0.1)
        await box.cancel([evaluation.id])
        await box.remove([evaluation.id])
        with suppress(EvaluationNotFound):
            async with asyncio.timeout(5):
                assert (await waiting).state is State.CANCELLED


async def test_waiting_ends_when_the_box_is_closed(settings: Settings) -> None:
    async with opened(settings, FakeEngine()) as box:
        (evaluation,) = await box.submit([spec("sleep", "inf")])
        waiting = asyncio.create_task(box.wait(evaluation.id))
        await reaches(box, evaluation.id, State.RUNNING)
    with pytest.raises(StoreError):
        await waiting


async def test_what_no_sandbox_can_be_made_of_is_the_tasks_error_at_once(
    settings: Settings,
) -> None:
    def refuse(_sandbox: Any) -> None:
        raise InvalidInput("the image has no user 'nemo'", field="user")

    policy = RetryPolicy(retries=3, infra_retries=3, base=0.0, cap=0.0)
    async with opened(settings, Meddled(refuse)) as box:
        evaluation = await run(box, spec("true", retry=policy))
        (attempt,) = await box.attempts(evaluation.id)
        assert evaluation.state is State.FAILED
        assert evaluation.outcome is Outcome.TASK_ERROR
        assert attempt.verdict is not None
        assert attempt.verdict.reason == "the image has no user 'nemo'"
