"""The rules of sandboxes that are kept, on the fake engine."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from recovery_support import opened, run, settings_in, spec, until

from evalbox.domain.clock import ManualClock
from evalbox.domain.limits import Limits
from evalbox.domain.sandbox import (
    MAX_EXECS,
    MAX_FILE,
    BoxSandbox,
    ExecSpec,
    SandboxEnd,
    SandboxFilter,
    SandboxSpec,
    SandboxState,
)
from evalbox.engines.base import LABEL_BOX, Profile
from evalbox.engines.fake import FakeEngine, FakeHost
from evalbox.engines.fake.execution import FakeExecution
from evalbox.errors import (
    AmbiguousId,
    Busy,
    Conflict,
    EngineError,
    EngineUnavailable,
    FileMissing,
    ImageNotFound,
    InvalidInput,
    SandboxGone,
    SandboxNotFound,
    TooLarge,
)
from evalbox.service.local import LocalBox

ECHO = ExecSpec(("echo", "hi"))


@asynccontextmanager
async def box_in(
    directory: Path, *, host: FakeHost | None = None, clock: Any = None, **changes: Any
) -> AsyncIterator[tuple[LocalBox, FakeEngine]]:
    engine = FakeEngine(host=host)
    box = await LocalBox.open(
        settings_in(directory, **changes), work=True, engines=[engine], clock=clock
    )
    try:
        yield box, engine
    finally:
        await box.close(drain=0)
        await engine.close()


async def ended(box: LocalBox, sandbox_id: str) -> BoxSandbox:
    async def over() -> bool:
        return (await box.sandboxes.get(sandbox_id)).state is SandboxState.ENDED

    await until(over)
    return await box.sandboxes.get(sandbox_id)


async def content(*pieces: bytes) -> AsyncIterator[bytes]:
    for piece in pieces:
        yield piece


async def events(box: LocalBox) -> list[tuple[str, str]]:
    return [
        (event.kind, event.data.get("end", ""))
        async for event in box.events()
        if event.kind.startswith("sandbox.")
    ]


async def test_from_its_creation_to_its_removal(tmp_path):
    async with box_in(tmp_path) as (box, engine):
        made = await box.sandboxes.create(SandboxSpec(name="mine", labels={"team": "a"}))
        assert made.state is SandboxState.RUNNING
        assert made.engine_id in engine.host.sandboxes
        assert made.deadline == made.created_at + 3600
        report = await box.sandboxes.run("mine", ECHO)
        assert (report.end.exit_code, report.stdout, report.end.timed_out) == (0, b"hi\n", False)
        await box.sandboxes.remove("mine")
        gone = await box.sandboxes.get(made.id)
        assert (gone.state, gone.end) == (SandboxState.ENDED, SandboxEnd.REMOVED)
        assert not engine.host.sandboxes
        await box.sandboxes.remove(made.id)
        assert await events(box) == [("sandbox.created", ""), ("sandbox.removed", "removed")]
        for ask in (box.sandboxes.run(made.id, ECHO), box.sandboxes.keep(made.id)):
            with pytest.raises(SandboxNotFound):
                await ask


async def test_it_is_found_by_name_and_by_beginnings(tmp_path):
    async with box_in(tmp_path) as (box, _):
        one = await box.sandboxes.create(SandboxSpec(name="one", labels={"k": "v"}))
        two = await box.sandboxes.create(SandboxSpec())
        for reference in ("one", one.id, one.short_id, one.short_id[:5], one.id.upper()):
            assert (await box.sandboxes.get(reference)).id == one.id
        with pytest.raises(AmbiguousId):
            await box.sandboxes.get(one.id[:6])
        for unknown in ("", "three", "../one", "%"):
            with pytest.raises(SandboxNotFound):
                await box.sandboxes.get(unknown)
        with pytest.raises(Conflict):
            await box.sandboxes.create(SandboxSpec(name="one"))
        everything = await box.sandboxes.list(SandboxFilter())
        assert [item.id for item in everything] == [two.id, one.id]
        labelled = await box.sandboxes.list(SandboxFilter(labels={"k": "v"}))
        assert [item.id for item in labelled] == [one.id]
        assert [i.id for i in await box.sandboxes.list(SandboxFilter(), after=two.id)] == [one.id]
        await box.sandboxes.remove("one")
        await box.sandboxes.create(SandboxSpec(name="one"))
        assert len(await box.sandboxes.list(SandboxFilter())) == 2
        assert len(await box.sandboxes.list(SandboxFilter(ended=True))) == 3


async def test_there_is_a_bound_and_a_place_becomes_free(tmp_path):
    async with box_in(tmp_path, sandboxes=3) as (box, _):
        made = await asyncio.gather(
            *(box.sandboxes.create(SandboxSpec(limits=Limits(cpus=0.1))) for _ in range(5)),
            return_exceptions=True,
        )
        refused = [one for one in made if isinstance(one, Busy)]
        assert len(refused) == 2
        assert refused[0].retry_after > 0
        first = next(one for one in made if isinstance(one, BoxSandbox))
        await box.sandboxes.remove(first.id)
        await box.sandboxes.create(SandboxSpec())


async def test_memory_and_cores_are_promised_to_it_and_to_evaluations(tmp_path):
    async with box_in(tmp_path, memory_overcommit=0.5, cpu_overcommit=1) as (box, _):
        total = (await box.host()).latest.memory_total
        large = Limits(cpus=0.5, memory=int(total * 0.4))
        await box.sandboxes.create(SandboxSpec(limits=large))
        with pytest.raises(Busy, match="memory"):
            await box.sandboxes.create(SandboxSpec(limits=large))
        with pytest.raises(Busy, match="cores"):
            await box.sandboxes.create(SandboxSpec(limits=Limits(cpus=4000)))
        (waiting,) = await box.submit([spec("true", limits=large)])
        assert (await run(box, spec("true"))).exit_code == 0
        assert (await box.get(waiting.id)).state == "queued"
        for one in await box.sandboxes.list(SandboxFilter()):
            await box.sandboxes.remove(one.id)
        assert (await box.wait(waiting.id)).exit_code == 0


async def test_it_ends_at_its_deadline(tmp_path):
    clock = ManualClock()
    async with box_in(tmp_path, clock=clock) as (box, engine):
        short = await box.sandboxes.create(SandboxSpec(lifetime=60))
        long = await box.sandboxes.create(SandboxSpec(lifetime=60))
        await box.sandboxes.keep(long.id, lifetime=600)
        running = await box.sandboxes.exec(short.id, ExecSpec(("sleep", "inf")))
        clock.advance(61)
        gone = await ended(box, short.id)
        assert gone.end is SandboxEnd.DEADLINE
        with pytest.raises(SandboxGone):
            await running.wait()
        await running.close()
        assert (await box.sandboxes.get(long.id)).state is SandboxState.RUNNING
        assert len(engine.host.sandboxes) == 1


async def test_it_ends_when_it_is_idle_and_use_keeps_it(tmp_path):
    clock = ManualClock()
    async with box_in(tmp_path, clock=clock) as (box, _):
        idle = await box.sandboxes.create(SandboxSpec(idle_timeout=100))
        kept = await box.sandboxes.create(SandboxSpec(idle_timeout=100))
        busy = await box.sandboxes.create(SandboxSpec(idle_timeout=100))
        running = await box.sandboxes.exec(busy.id, ExecSpec(("sleep", "inf")))
        clock.advance(90)
        before = await box.sandboxes.get(kept.id)
        after = await box.sandboxes.keep(kept.id)
        assert after.expires_at() == before.expires_at() + 90
        clock.advance(20)
        assert (await ended(box, idle.id)).end is SandboxEnd.IDLE
        states = {one.id for one in await box.sandboxes.list(SandboxFilter())}
        assert states == {kept.id, busy.id}
        await running.close()
        clock.advance(110)
        assert (await ended(box, busy.id)).end is SandboxEnd.IDLE


async def test_its_secrets_are_sealed_and_handed_to_programs_alone(tmp_path):
    async with box_in(tmp_path) as (box, _):
        made = await box.sandboxes.create(SandboxSpec(env={"TOKEN": "hunter2-secret"}))
        assert list(made.spec.env) == ["TOKEN"]
        report = await box.sandboxes.run(made.id, ExecSpec(("env", "TOKEN")))
        assert report.stdout == b"hunter2-secret\n"
        over = ExecSpec(("env", "TOKEN"), env={"TOKEN": "other"})
        assert (await box.sandboxes.run(made.id, over)).stdout == b"other\n"
        told = [str(event.data) async for event in box.events()]
        told += [str(entry) for entry in await box.audit.list()]
        assert not any("hunter2" in text for text in told)
    for file in tmp_path.rglob("*"):
        if file.is_file():
            assert b"hunter2" not in file.read_bytes(), file


async def test_programs_have_a_time_limit(tmp_path):
    async with box_in(tmp_path) as (box, _):
        made = await box.sandboxes.create(SandboxSpec())
        slow = ExecSpec(("echo", "first", ";", "sleep", "inf"), timeout=0.2)
        report = await box.sandboxes.run(made.id, slow)
        assert (report.end.timed_out, report.end.exit_code) == (True, 137)
        assert report.stdout == b"first\n"
        assert report.end.duration < 5


async def test_output_is_kept_up_to_a_bound(tmp_path):
    async with box_in(tmp_path) as (box, _):
        made = await box.sandboxes.create(SandboxSpec())
        flood = ExecSpec(("print", "300000", ";", "error", "e", ";", "exit", "3"))
        report = await box.sandboxes.run(made.id, flood, limit=100_000)
        assert report.stdout == b"x" * 100_000
        assert (report.stdout_truncated, report.stderr_truncated) == (True, False)
        assert (report.stderr, report.end.exit_code) == (b"e\n", 3)


async def test_so_many_programs_run_at_once(tmp_path):
    async with box_in(tmp_path) as (box, _):
        made = await box.sandboxes.create(SandboxSpec())
        sleeper = ExecSpec(("sleep", "inf"))
        running = [await box.sandboxes.exec(made.id, sleeper) for _ in range(MAX_EXECS)]
        with pytest.raises(Busy):
            await box.sandboxes.exec(made.id, sleeper)
        await running.pop().close()
        running.append(await box.sandboxes.exec(made.id, sleeper))
        for one in running:
            await one.close()
        assert (await box.sandboxes.run(made.id, ECHO)).end.exit_code == 0


async def test_files_go_in_and_come_out(tmp_path):
    async with box_in(tmp_path) as (box, _):
        made = await box.sandboxes.create(SandboxSpec())
        await box.sandboxes.write(made.id, "/home/agent/a/b", content(b"one", b"two"))
        pieces = [data async for data in box.sandboxes.read(made.id, "/home/agent/a/b")]
        assert b"".join(pieces) == b"onetwo"
        (entry,) = await box.sandboxes.entries(made.id, "/home/agent/a")
        assert (entry.name, entry.size) == ("b", 6)
        with pytest.raises(FileMissing):
            await anext(box.sandboxes.read(made.id, "/home/agent/c"))
        for path in ("relative", "", "/nul\0", "/" + "x" * 5000, "/\udce9"):
            with pytest.raises(InvalidInput):
                await box.sandboxes.write(made.id, path, content(b"x"))
        many = content(*[bytes(1 << 20)] * (MAX_FILE // (1 << 20) + 1))
        with pytest.raises(TooLarge):
            await box.sandboxes.write(made.id, "/home/agent/large", many)
        with pytest.raises(FileMissing):
            await anext(box.sandboxes.read(made.id, "/home/agent/large"))


WRONG = [
    {"name": "\x1b[0m"}, {"name": "x" * 201}, {"lifetime": 0}, {"lifetime": float("nan")},
    {"lifetime": 8 * 86400}, {"idle_timeout": 0.0}, {"workdir": "relative"}, {"user": ""},
    {"env": {"no name": "x"}}, {"env": {"A": "\0"}}, {"env": {"A": "\udce9"}}, {"labels": {"": ""}},
    {"labels": {str(number): "" for number in range(65)}}, {"engine": "docker"},
]  # fmt: skip


@pytest.mark.parametrize("fields", WRONG)
async def test_bad_input_is_refused_and_leaves_nothing(tmp_path, fields):
    async with box_in(tmp_path) as (box, engine):
        with pytest.raises(InvalidInput):
            await box.sandboxes.create(SandboxSpec(**fields))
        assert not await box.sandboxes.list(SandboxFilter(ended=True))
        assert not engine.host.sandboxes


@pytest.mark.parametrize(
    "fields",
    [
        {"command": ()}, {"command": ("",)}, {"command": ("a\0",)}, {"command": ("x" * 200_000,)},
        {"workdir": "x"}, {"timeout": 0}, {"timeout": float("inf")}, {"rows": 0}, {"cols": 5000},
        {"env": {"": "x"}}, {"user": "\n"},
    ],
)  # fmt: skip
async def test_bad_programs_are_refused(tmp_path, fields):
    async with box_in(tmp_path) as (box, _):
        made = await box.sandboxes.create(SandboxSpec())
        with pytest.raises(InvalidInput):
            await box.sandboxes.run(made.id, ExecSpec(**({"command": ("true",)} | fields)))


async def test_what_cannot_be_started_leaves_nothing(tmp_path):
    async with box_in(tmp_path) as (box, engine):
        with pytest.raises(ImageNotFound):
            await box.sandboxes.create(SandboxSpec(image="no-such"))
        engine.fail_next()
        with pytest.raises(EngineError):
            await box.sandboxes.create(SandboxSpec())
        found = await box.sandboxes.list(SandboxFilter(ended=True))
        assert [one.end for one in found] == [SandboxEnd.FAILED] * 2
        assert all(one.reason for one in found)
        assert not engine.host.sandboxes
        await box.sandboxes.create(SandboxSpec())


async def test_who_goes_away_while_it_starts_leaves_nothing(tmp_path):
    entered = asyncio.Event()

    async def slowly(_: float) -> None:
        entered.set()
        await asyncio.sleep(0.05)

    engine = FakeEngine(create_seconds=1, sleep=slowly)
    async with opened(settings_in(tmp_path), engine) as box:
        creating = asyncio.create_task(box.sandboxes.create(SandboxSpec()))
        await entered.wait()
        creating.cancel()
        await asyncio.gather(creating, return_exceptions=True)

        async def clear() -> bool:
            found = await box.sandboxes.list(SandboxFilter(ended=True))
            return [one.state for one in found] == [SandboxState.ENDED]

        await until(clear)
        assert await _emptied(engine.host)
    await engine.close()


async def test_it_can_be_removed_while_it_starts(tmp_path):
    entered, released = asyncio.Event(), asyncio.Event()

    async def slowly(_: float) -> None:
        entered.set()
        await released.wait()

    engine = FakeEngine(create_seconds=1, sleep=slowly)
    async with opened(settings_in(tmp_path), engine) as box:
        creating = asyncio.create_task(box.sandboxes.create(SandboxSpec(name="x")))
        await entered.wait()
        assert (await box.sandboxes.get("x")).state is SandboxState.STARTING
        await box.sandboxes.remove("x")
        released.set()
        with pytest.raises(SandboxNotFound):
            await creating
        assert not engine.host.sandboxes
    await engine.close()


async def test_it_lives_on_and_is_adopted(tmp_path):
    host = FakeHost()
    async with box_in(tmp_path, host=host) as (box, _):
        made = await box.sandboxes.create(SandboxSpec(name="mine", env={"A": "b"}))
        doomed = await box.sandboxes.create(SandboxSpec())
        await box.sandboxes.write("mine", "/home/agent/f", content(b"kept"))
    assert set(host.sandboxes) == {made.engine_id, doomed.engine_id}
    host.vanish(doomed.engine_id or "")
    async with box_in(tmp_path, host=host) as (box, _):
        report = await box.sandboxes.run("mine", ExecSpec(("cat", "f", ";", "env", "A")))
        assert report.stdout == b"keptb\n"
        assert (await ended(box, doomed.id)).end is SandboxEnd.DIED
        assert set(host.sandboxes) == {made.engine_id}
        assert host.created == 2


async def test_what_is_past_its_deadline_is_removed_by_the_next(tmp_path):
    host, clock = FakeHost(), ManualClock()
    async with box_in(tmp_path, host=host, clock=clock) as (box, _):
        made = await box.sandboxes.create(SandboxSpec(lifetime=60))
    clock.advance(100)
    async with box_in(tmp_path, host=host, clock=clock) as (box, _):
        assert (await ended(box, made.id)).end is SandboxEnd.DEADLINE
        assert await _emptied(host)


async def test_what_a_crash_left_half_started_is_reaped(tmp_path):
    host = FakeHost()
    async with box_in(tmp_path, host=host) as (box, engine):
        made = await box.sandboxes.create(SandboxSpec(env={"A": "secret"}))
        box_id = box._store.box_id
    stray = await engine.create(Profile("any"), labels={LABEL_BOX: box_id})
    with sqlite3.connect(tmp_path / "evalbox.db") as conn:
        conn.execute("UPDATE sandboxes SET state = 'starting', engine_id = NULL")
    conn.close()
    async with box_in(tmp_path, host=host) as (box, _):
        gone = await ended(box, made.id)
        assert (gone.end, gone.reason) == (
            SandboxEnd.FAILED,
            "evalbox stopped before it was started",
        )
        assert stray.id not in host.sandboxes or await _emptied(host)


async def _emptied(host: FakeHost) -> bool:
    # An end is recorded before the sandbox is destroyed.
    async def empty() -> bool:
        return not host.sandboxes

    await until(empty)
    return True


async def test_an_outage_of_the_engine_ends_nothing(tmp_path):
    async with box_in(tmp_path) as (box, engine):
        made = await box.sandboxes.create(SandboxSpec())
        engine.down = True
        with pytest.raises(EngineUnavailable):
            await box.sandboxes.run(made.id, ECHO)
        engine.down = False
        await until(lambda: _answers(box, made.id), within=20)
        assert (await box.sandboxes.get(made.id)).state is SandboxState.RUNNING


async def _answers(box: LocalBox, sandbox_id: str) -> bool:
    try:
        return (await box.sandboxes.run(sandbox_id, ECHO)).end.exit_code == 0
    except EngineError:
        return False


async def test_what_dies_by_itself_is_told(tmp_path):
    async with box_in(tmp_path) as (box, engine):
        made = await box.sandboxes.create(SandboxSpec())
        engine.vanish(made.engine_id or "")
        assert (await ended(box, made.id)).end is SandboxEnd.DIED


async def test_who_does_not_run_the_queue_only_looks(tmp_path):
    async with box_in(tmp_path) as (box, _):
        made = await box.sandboxes.create(SandboxSpec())
        other = await LocalBox.open(settings_in(tmp_path), work=False)
        try:
            assert (await other.sandboxes.get(made.id)).id == made.id
            for ask in (
                other.sandboxes.create(SandboxSpec()),
                other.sandboxes.run(made.id, ECHO),
                other.sandboxes.remove(made.id),
            ):
                with pytest.raises(Busy):
                    await ask
        finally:
            await other.close()


async def test_a_program_that_cannot_be_killed_costs_its_sandbox(tmp_path, monkeypatch):
    async def refuses(self: object) -> None:
        raise EngineError("no")

    monkeypatch.setattr("evalbox.engines.fake.execution.FakeExecution.kill", refuses)
    async with box_in(tmp_path) as (box, engine):
        made = await box.sandboxes.create(SandboxSpec())
        stuck = ExecSpec(("sleep", "inf"), timeout=0.1)
        with pytest.raises(SandboxGone):
            await box.sandboxes.run(made.id, stuck)
        assert (await ended(box, made.id)).end is SandboxEnd.UNRESPONSIVE
        assert await _emptied(engine.host)


async def test_what_is_done_is_audited(tmp_path):
    async with box_in(tmp_path) as (box, _):
        made = await box.sandboxes.create(SandboxSpec())
        await box.sandboxes.run(made.id, ECHO)
        await box.sandboxes.write(made.id, "/f", content(b"x"))
        await box.sandboxes.keep(made.id, 60)
        await box.sandboxes.remove(made.id)
        entries = await box.audit.list()
        assert [(entry.action, entry.target) for entry in entries] == [
            (f"sandbox.{action}", made.id)
            for action in ("create", "exec", "write", "keep", "remove")
        ]
        assert (await box.audit.verify()).sound


async def test_warm_sandboxes_are_taken(tmp_path):
    engine = FakeEngine()
    async with opened(settings_in(tmp_path, image="any"), engine, warm=1) as box:

        async def warm() -> bool:
            return (await box.queue()).warm == 1

        await until(warm)
        (ready,) = engine.host.sandboxes
        made = await box.sandboxes.create(SandboxSpec())
        assert made.engine_id == ready
    await engine.close()


async def test_the_answer_does_not_wait_for_a_killing_that_takes_long(tmp_path, monkeypatch):
    released = asyncio.Event()

    async def slowly(self: FakeExecution) -> None:
        await released.wait()
        self.end(137)

    monkeypatch.setattr(FakeExecution, "kill", slowly)
    async with box_in(tmp_path) as (box, _):
        made = await box.sandboxes.create(SandboxSpec())
        report = await box.sandboxes.run(made.id, ExecSpec(("sleep", "inf"), timeout=0.1))
        assert (report.end.timed_out, report.end.exit_code) == (True, 137)
        assert not released.is_set()
        released.set()
        await box.sandboxes.remove(made.id)
