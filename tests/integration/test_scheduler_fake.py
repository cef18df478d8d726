"""The scheduler over a real store, on the fake engine: every way an evaluation can go."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from recovery_support import AT_ONCE, output, reaches, run, settings_in, spec, until

from evalbox.config.settings import Settings
from evalbox.domain.evaluation import Priority
from evalbox.domain.limits import KIB, MIB, Limits
from evalbox.domain.outcome import Outcome
from evalbox.domain.records import EvaluationFilter
from evalbox.domain.state import State
from evalbox.engines.fake import FakeEngine, FakeHost
from evalbox.errors import ImageNotFound, InvalidInput, InvalidTransition
from evalbox.service.local import LocalBox


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return settings_in(tmp_path / "box")


@pytest.fixture
def engine() -> FakeEngine:
    return FakeEngine()


@asynccontextmanager
async def opened(
    settings: Settings, engine: FakeEngine, *, work: bool = True, warm: int = 0
) -> AsyncIterator[LocalBox]:
    box = await LocalBox.open(settings, work=work, warm=warm, engines=[engine])
    try:
        yield box
    finally:
        await box.close(drain=0)
        await engine.close()


@pytest.fixture
async def box(settings: Settings, engine: FakeEngine) -> AsyncIterator[LocalBox]:
    async with opened(settings, engine) as made:
        yield made


@pytest.mark.parametrize(
    ("command", "changes", "state", "outcome"),
    [
        (("true",), {}, State.COMPLETED, Outcome.OK),
        (("exit", "3"), {}, State.FAILED, Outcome.FAILED),
        (("oom",), {}, State.FAILED, Outcome.OUT_OF_MEMORY),
        (("signal", "9"), {}, State.FAILED, Outcome.KILLED),
        (("sleep", "inf"), {"limits": Limits(timeout=0.2)}, State.FAILED, Outcome.TIMEOUT),
        (("print", "5000"), {"limits": Limits(output=KIB)}, State.FAILED, Outcome.OUTPUT_LIMIT),
        (
            ("disk", str(2 * MIB), ";", "sleep", "inf"),
            {"limits": Limits(disk=MIB)},
            State.FAILED,
            Outcome.DISK_LIMIT,
        ),
        (("infra",), {}, State.DEAD, Outcome.INFRA_ERROR),
        (("vanish",), {}, State.DEAD, Outcome.INFRA_ERROR),
    ],
)
async def test_verdicts(
    box: LocalBox,
    engine: FakeEngine,
    command: tuple[str, ...],
    changes: dict[str, object],
    state: State,
    outcome: Outcome,
) -> None:
    ended = await run(box, spec(*command, **changes))
    assert (ended.state, ended.outcome) == (state, outcome)
    attempts = await box.attempts(ended.id)
    assert len(attempts) == (4 if outcome is Outcome.INFRA_ERROR else 1)
    assert all(item.verdict and item.verdict.outcome is outcome for item in attempts)

    async def nothing_left() -> bool:
        return not engine.host.sandboxes

    await until(nothing_left)


async def test_output_is_kept_as_it_came(box: LocalBox) -> None:
    ended = await run(box, spec("echo", "one", ";", "error", "two", ";", "echo", "three"))
    pieces = [(piece.stream, piece.data) async for piece in box.output(ended.id)]
    assert b"".join(data for _, data in pieces) == b"one\ntwo\nthree\n"
    assert b"".join(data for stream, data in pieces if stream == 2) == b"two\n"


async def test_output_is_cut_at_its_limit(box: LocalBox) -> None:
    ended = await run(box, spec("print", "100000", limits=Limits(output=10 * KIB)))
    assert await output(box, ended.id) == b"x" * 10 * KIB
    (attempt,) = await box.attempts(ended.id)
    assert attempt.truncated
    assert attempt.output_bytes == 10 * KIB


async def test_follow_reads_while_it_runs(box: LocalBox) -> None:
    (evaluation,) = await box.submit([spec("echo", "a", ";", "sleep", "0.3", ";", "echo", "b")])
    async with asyncio.timeout(10):
        assert await output(box, evaluation.id, follow=True) == b"a\nb\n"


async def test_task_failures_are_retried_as_often_as_asked(box: LocalBox) -> None:
    ended = await run(box, spec("flaky", "2", retry=replace(AT_ONCE, retries=2)))
    assert ended.state is State.COMPLETED
    outcomes = [item.verdict.outcome for item in await box.attempts(ended.id) if item.verdict]
    assert outcomes == [Outcome.FAILED, Outcome.FAILED, Outcome.OK]


async def test_a_retry_budget_is_spent(box: LocalBox) -> None:
    ended = await run(box, spec("false", retry=replace(AT_ONCE, retries=2)))
    assert (ended.state, ended.attempts) == (State.FAILED, 3)


async def test_infra_errors_are_retried_without_being_asked(box: LocalBox) -> None:
    ended = await run(box, spec("infra", "2", ";", "echo", "at last"))
    assert (ended.state, ended.attempts) == (State.COMPLETED, 3)
    assert await output(box, ended.id) == b"at last\n"


async def test_a_dead_evaluation_can_be_requeued(box: LocalBox) -> None:
    dead = await run(box, spec("infra", "4", ";", "true"))
    assert dead.state is State.DEAD
    await box.retry([dead.id])
    async with asyncio.timeout(10):
        assert (await box.wait(dead.id)).state is State.COMPLETED


async def test_cancel_in_every_state(settings: Settings, engine: FakeEngine) -> None:
    async with opened(replace(settings, slots=1), engine) as box:
        running, queued = await box.submit([spec("sleep", "inf"), spec("true")])
        await reaches(box, running.id, State.RUNNING)
        await box.cancel([queued.id])
        assert (await box.get(queued.id)).state is State.CANCELLED
        await box.cancel([running.id])
        async with asyncio.timeout(5):
            ended = await box.wait(running.id)
        assert (ended.state, ended.outcome) == (State.CANCELLED, Outcome.CANCELLED)
        with pytest.raises(InvalidTransition):
            await box.cancel([running.id])
        (delayed,) = await box.submit([spec("true", not_before=4e9)])
        await box.cancel([delayed.id])
        assert (await box.get(delayed.id)).state is State.CANCELLED
        assert await box.attempts(delayed.id) == []


async def test_cancel_while_starting(settings: Settings) -> None:
    slow = FakeEngine(create_seconds=60)
    async with opened(settings, slow) as box:
        (evaluation,) = await box.submit([spec("true")])
        await reaches(box, evaluation.id, State.STARTING)
        await box.cancel([evaluation.id])
        async with asyncio.timeout(5):
            assert (await box.wait(evaluation.id)).state is State.CANCELLED


async def test_cancelled_from_another_process(settings: Settings, engine: FakeEngine) -> None:
    async with opened(settings, engine) as box:
        other = await LocalBox.open(settings, work=False)
        (evaluation,) = await box.submit([spec("sleep", "inf")])
        await reaches(box, evaluation.id, State.RUNNING)
        await other.cancel([evaluation.id])
        async with asyncio.timeout(5):
            assert (await other.wait(evaluation.id)).state is State.CANCELLED
        await other.close()


async def test_priority_then_age(settings: Settings, engine: FakeEngine) -> None:
    async with opened(replace(settings, slots=1), engine) as box:
        await box.pause()
        wanted = [Priority.LOW, Priority.NORMAL, Priority.HIGH, Priority.NORMAL]
        made = await box.submit([spec("true", priority=priority) for priority in wanted])
        await box.resume()
        ended = [await box.wait(item.id) for item in made]
    order = sorted(range(4), key=lambda index: ended[index].started_at or 0)
    assert order == [2, 1, 3, 0]


async def test_a_paused_queue_starts_nothing(box: LocalBox) -> None:
    await box.pause()
    (evaluation,) = await box.submit([spec("true")])
    await asyncio.sleep(0.3)
    assert (await box.get(evaluation.id)).state is State.QUEUED
    assert "paused" in await box.explain(evaluation.id)
    await box.resume()
    async with asyncio.timeout(5):
        assert (await box.wait(evaluation.id)).state is State.COMPLETED


async def test_a_batch_runs_no_more_at_once_than_it_may(box: LocalBox) -> None:
    await box.set_batch_concurrency("slow", 1)
    made = await box.submit([spec("sleep", "0.1", batch="slow") for _ in range(4)])
    others = await box.submit([spec("true") for _ in range(4)])
    for item in others:
        await box.wait(item.id)
    # The batch at its limit did not hold up those behind it.
    assert (await box.get(made[-1].id)).state is State.QUEUED
    spans = []
    for item in made:
        ended = await box.wait(item.id)
        spans.append((ended.started_at or 0, ended.finished_at or 0))
    spans.sort()
    assert all(spans[index][1] <= spans[index + 1][0] for index in range(3))
    assert (await box.batch("slow")).states == {State.COMPLETED: 4}


async def test_slots_are_resized_live(settings: Settings, engine: FakeEngine) -> None:
    async with opened(replace(settings, slots=1), engine) as box:
        made = await box.submit([spec("sleep", "inf") for _ in range(3)])
        await reaches(box, made[0].id, State.RUNNING)
        assert (await box.get(made[1].id)).state is State.QUEUED
        await box.set_slots(3)
        for item in made:
            await reaches(box, item.id, State.RUNNING)
        await box.cancel([item.id for item in made])
        for item in made:
            await box.wait(item.id)


async def test_not_before(box: LocalBox) -> None:
    (evaluation,) = await box.submit([spec("true", not_before=4e9)])
    await asyncio.sleep(0.2)
    assert (await box.get(evaluation.id)).state is State.QUEUED
    assert "2096-10-02" in await box.explain(evaluation.id)


async def test_what_the_host_holds_up_is_told_why(tmp_path: Path, engine: FakeEngine) -> None:
    settings = settings_in(tmp_path / "box", memory_percent=0.0)
    async with opened(settings, engine) as box:
        (evaluation,) = await box.submit([spec("true")])

        async def told() -> bool:
            return "holding: memory" in await box.explain(evaluation.id)

        await until(told)


async def test_an_engine_outage_holds_work_and_burns_none(
    box: LocalBox, engine: FakeEngine
) -> None:
    await run(box, spec("true"))
    engine.down = True
    made = await box.submit([spec("echo", str(number)) for number in range(8)])
    await asyncio.sleep(0.5)
    assert "fake" in (await box.queue()).holding
    engine.down = False
    async with asyncio.timeout(30):
        ended = [await box.wait(item.id) for item in made]
    assert all(item.state is State.COMPLETED for item in ended)
    assert all(item.infra_failures == 0 for item in ended)


async def test_an_outage_in_the_middle(box: LocalBox, engine: FakeEngine) -> None:
    (evaluation,) = await box.submit([spec("sleep", "0.3", ";", "echo", "done")])
    await reaches(box, evaluation.id, State.RUNNING)
    engine.down = True
    await asyncio.sleep(0.5)
    engine.down = False
    async with asyncio.timeout(30):
        ended = await box.wait(evaluation.id)
    assert ended.state is State.COMPLETED
    assert (await output(box, ended.id)).endswith(b"done\n")


async def test_adoption_loses_and_repeats_nothing(settings: Settings) -> None:
    host = FakeHost()
    command = ("echo", "before", ";", "sleep", "0.5", ";", "echo", "after")
    async with opened(settings, FakeEngine(host=host)) as box:
        (evaluation,) = await box.submit([spec(*command)])
        await reaches(box, evaluation.id, State.RUNNING)
        await until(lambda: _has_output(box, evaluation.id))
    async with opened(settings, FakeEngine(host=host)) as box:
        async with asyncio.timeout(10):
            ended = await box.wait(evaluation.id)
        assert (ended.state, ended.attempts) == (State.COMPLETED, 1)
        assert await output(box, evaluation.id) == b"before\nafter\n"
    assert host.runs[command] == 1


async def _has_output(box: LocalBox, evaluation_id: str) -> bool:
    return bool(await output(box, evaluation_id))


async def test_what_is_gone_after_a_crash_is_tried_again(settings: Settings) -> None:
    host = FakeHost()
    async with opened(settings, FakeEngine(host=host)) as box:
        (evaluation,) = await box.submit([spec("sleep", "0.2", ";", "echo", "done")])
        await reaches(box, evaluation.id, State.RUNNING)
    for sandbox_id in list(host.sandboxes):
        host.vanish(sandbox_id)
    async with opened(settings, FakeEngine(host=host)) as box:
        async with asyncio.timeout(10):
            ended = await box.wait(evaluation.id)
        assert (ended.state, ended.attempts, ended.infra_failures) == (State.COMPLETED, 2, 1)


async def test_what_nobody_owns_is_reaped(settings: Settings) -> None:
    host = FakeHost()
    async with opened(settings, FakeEngine(host=host), warm=2) as box:
        await run(box, spec("true"))

        async def warmed() -> bool:
            return (await box.queue()).warm == 2

        await until(warmed)
        survivors = dict(host.sandboxes)
        # As a kill -9 would: nothing is tidied up.
        host_copy = FakeHost()
        host_copy.sandboxes.update(survivors)
    async with opened(settings, FakeEngine(host=host_copy)) as box:
        await run(box, spec("true"))

        async def nothing_left() -> bool:
            return not host_copy.sandboxes

        await until(nothing_left)


async def test_warm_sandboxes_are_used_once(settings: Settings, engine: FakeEngine) -> None:
    async with opened(settings, engine, warm=2) as box:
        await run(box, spec("echo", "cold"))

        async def warmed() -> bool:
            return (await box.queue()).warm == 2

        await until(warmed)
        made = await box.submit([spec("echo", str(number)) for number in range(6)])
        ids = set()
        for item in made:
            await box.wait(item.id)
            (attempt,) = await box.attempts(item.id)
            ids.add(attempt.sandbox_id)
        assert len(ids) == 6
        assert any([(await box.attempts(item.id))[0].warm for item in made])
    assert not engine.host.sandboxes


async def test_a_second_process_takes_over(settings: Settings) -> None:
    host = FakeHost()
    first = await LocalBox.open(settings, work=True, engines=[FakeEngine(host=host)])
    second = await LocalBox.open(settings, work=True, engines=[FakeEngine(host=host)])
    assert (await first.queue()).here
    assert not (await second.queue()).here
    (evaluation,) = await second.submit([spec("echo", "by the first")])
    async with asyncio.timeout(10):
        await second.wait(evaluation.id)
    await first.close(drain=0)
    (evaluation,) = await second.submit([spec("echo", "by the second")])
    async with asyncio.timeout(10):
        assert (await second.wait(evaluation.id)).state is State.COMPLETED
    await second.close(drain=0)


async def test_artifacts(box: LocalBox) -> None:
    ended = await run(box, spec("artifact", "out/a.txt", "content", artifacts=("out", "absent")))
    (record,) = [item for item in await box.artifacts(ended.id) if item.kind == "file"]
    assert record.path == "out/a.txt"
    content = b"".join([data async for data in box.read_artifact(ended.id, "out/a.txt")])
    assert content == b"content"


async def test_nothing_is_queued_for_what_cannot_run(box: LocalBox) -> None:
    with pytest.raises(ImageNotFound):
        await box.submit([spec("true"), spec("true", image="no-such-image")])
    with pytest.raises(InvalidInput, match="engine"):
        await box.submit([spec("true", engine="hypervisor")])
    assert await box.list(EvaluationFilter()) == []


async def test_closing_waits_for_what_runs(settings: Settings, engine: FakeEngine) -> None:
    box = await LocalBox.open(settings, work=True, engines=[engine])
    (evaluation,) = await box.submit([spec("sleep", "0.3", ";", "echo", "done")])
    await reaches(box, evaluation.id, State.RUNNING)
    await box.close()
    async with opened(settings, engine, work=False) as later:
        assert (await later.get(evaluation.id)).state is State.COMPLETED


async def test_many_at_once_end_exactly_once(settings: Settings, engine: FakeEngine) -> None:
    async with opened(replace(settings, slots=32), engine) as box:
        made = await box.submit([spec("echo", str(number)) for number in range(300)])
        for number, item in enumerate(made):
            ended = await box.wait(item.id)
            assert ended.state is State.COMPLETED
            assert ended.attempts == 1
            assert await output(box, item.id) == f"{number}\n".encode()
    assert len(engine.host.runs) == 300
    assert set(engine.host.runs.values()) == {1}
