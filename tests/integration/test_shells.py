"""Programs beside a job, whichever way the box is reached; and what runs, at this moment."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from api_support import PREFIX, WAYS, Reached, Served, code, reached, served
from recovery_support import Meddled, opened, output, phase, run, settings_in, spec, until
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from evalbox.domain.access import Scope
from evalbox.domain.evaluation import Evaluation, Priority
from evalbox.domain.outcome import Outcome
from evalbox.domain.sandbox import MAX_EXECS, PLAIN_SHELL, SHELL, ExecEnd, ExecSpec
from evalbox.domain.state import State
from evalbox.engines.fake import FakeEngine
from evalbox.errors import Busy, EngineError, EvaluationNotFound, InvalidInput, InvalidTransition
from evalbox.service.box import Box
from evalbox.service.local import LocalBox
from evalbox.service.sandbox_box import SandboxExec

NOWHERE = "0" * 22


@pytest.fixture(params=WAYS, name="reached")
async def _reached(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Reached]:
    async with reached(request.param, tmp_path) as found:
        yield found


@pytest.fixture
async def box(tmp_path: Path) -> AsyncIterator[LocalBox]:
    engine = FakeEngine()
    async with opened(settings_in(tmp_path / "box"), engine) as made:
        yield made
    await engine.close()


async def running(box: Box, *command: str, **changes: object) -> Evaluation:
    """An evaluation whose job runs."""
    (made,) = await box.submit([spec(*(command or ("sleep", "inf")), **changes)])
    await phase(box, "running")
    return made


async def said(shell: SandboxExec, wanted: bytes) -> bytes:
    """What it prints, up to ``wanted``. Its output goes on where it was left."""
    seen = b""
    async with asyncio.timeout(10), aclosing(shell.output()) as pieces:
        async for piece in pieces:
            seen += piece.data
            if wanted in seen:
                break
    return seen


async def end_of(shell: SandboxExec) -> ExecEnd:
    async with asyncio.timeout(10):
        async for _ in shell.output():
            pass
        return await shell.wait()


async def test_a_shell_on_a_terminal(reached: Reached) -> None:
    box = reached.box
    one = await running(box, env={"TOKEN": "hunter2", "A": "job's"})
    asked = ExecSpec(SHELL, env={"A": "own"}, stdin=True, tty=True, rows=33, cols=99)
    shell = await box.shell(one.id, asked)
    try:
        await shell.write(b"tty; stty size; env TOKEN; env A\r")
        assert b"/dev/pts/0\r\n33 99\r\nhunter2\r\nown\r\n" in await said(shell, b"own\r\n")
        await shell.resize(40, 120)
        await shell.write(b"stty size\r")
        assert b"40 120" in await said(shell, b"40 120\r\n")
        await shell.write(b"exit 7\r")
        assert (await shell.wait()).exit_code == 7
    finally:
        await shell.close()
    assert (await box.get(one.id)).state is State.RUNNING
    assert await output(reached.served.box, one.id) == b""


async def test_between_pipes(reached: Reached) -> None:
    one = await running(reached.box)
    shell = await reached.box.shell(one.id, ExecSpec(PLAIN_SHELL, stdin=True))
    await shell.write(b"echo out\nerror err\ntty\n")
    await shell.close_stdin()
    pieces = [(piece.stream, piece.data) async for piece in shell.output()]
    assert pieces == [(1, b"out\n"), (2, b"err\n"), (1, b"not a tty\n")]
    assert (await shell.wait()).exit_code == 1
    await shell.close()


async def test_it_ends_with_the_job_and_not_the_job_with_it(reached: Reached) -> None:
    box = reached.box
    one = await running(box)
    closed = await box.shell(one.id, ExecSpec(("sleep", "inf")))
    await closed.close()
    assert (await box.get(one.id)).state is State.RUNNING
    left = await box.shell(one.id, ExecSpec(("sleep", "inf")))
    await box.cancel([one.id])
    with pytest.raises(EngineError, match="sandbox ended"):
        await end_of(left)
    await left.close()
    assert (await box.wait(one.id)).outcome is Outcome.CANCELLED


async def test_refusals_say_how_it_stands(reached: Reached) -> None:
    box = reached.box
    program = ExecSpec(("true",))
    (done, later) = await box.submit([spec("true"), spec("true", not_before=2e9)])
    await box.wait(done.id)
    for one, stands in ((done, "completed"), (later, "queued")):
        with pytest.raises(InvalidTransition, match=f"does not run: it is {stands}") as caught:
            await box.shell(one.id, program)
        assert caught.value.hint
    with pytest.raises(EvaluationNotFound):
        await box.shell(NOWHERE, program)
    one = await running(box)
    with pytest.raises(InvalidInput):
        await box.shell(one.id, replace(program, workdir="relative"))


async def test_not_before_it_is_launched_nor_after(tmp_path: Path) -> None:
    held = asyncio.Event()

    def meddle(sandbox: Any) -> None:
        launch = sandbox.launch

        async def later(*given: object) -> None:
            await held.wait()
            await launch(*given)

        sandbox.launch = later

    engine = Meddled(meddle)
    async with opened(settings_in(tmp_path / "box"), engine) as box:
        (one,) = await box.submit([spec("sleep", "inf")])
        await phase(box, "starting the command")
        with pytest.raises(InvalidTransition, match="it is starting the command"):
            await box.shell(one.id, ExecSpec(("true",)))
        assert "starting the command for" in await box.explain(one.id)
        held.set()
        await phase(box, "running")
    await engine.close()


async def test_too_many(box: LocalBox) -> None:
    one = await running(box)
    shells = [await box.shell(one.id, ExecSpec(("sleep", "inf"))) for _ in range(MAX_EXECS)]
    with pytest.raises(Busy, match=f"{MAX_EXECS} programs"):
        await box.shell(one.id, ExecSpec(("true",)))
    await shells.pop().close()
    await (await box.shell(one.id, ExecSpec(("true",)))).close()
    for shell in shells:
        await shell.close()


async def test_a_program_whose_time_is_up(box: LocalBox) -> None:
    one = await running(box)
    shell = await box.shell(one.id, ExecSpec(("sleep", "inf"), timeout=0.1))
    end = await shell.wait()
    assert (end.timed_out, end.exit_code) == (True, 137)
    await shell.close()
    assert (await box.get(one.id)).state is State.RUNNING


async def test_where_the_queue_is_not_run(tmp_path: Path) -> None:
    engine = FakeEngine()
    async with opened(settings_in(tmp_path / "box"), engine, work=False) as box:
        (one,) = await box.submit([spec("true")])
        with pytest.raises(Busy, match="not run here"):
            await box.shell(one.id, ExecSpec(("true",)))
        assert await box.activity() == ()
    await engine.close()


@pytest.fixture
async def service(tmp_path: Path) -> AsyncIterator[Served]:
    async with served(tmp_path, work=True) as made:
        yield made


@pytest.mark.parametrize("scope", [Scope.READ, Scope.SUBMIT])
async def test_only_for_admins(service: Served, scope: Scope) -> None:
    one = await running(service.box)
    headers = {"Authorization": f"Bearer {await service.key(scope)}"}
    url = f"ws://127.0.0.1:{service.port}{PREFIX}/evaluations/{one.id}/shell"
    with pytest.raises(InvalidStatus) as caught:
        await connect(url, additional_headers=headers, proxy=None)
    assert caught.value.response.status_code == 403
    assert not [entry for entry in await service.box.audit.list() if entry.result == "ok"
                and entry.action == "evaluation.shell"]  # fmt: skip


async def test_a_client_that_goes_ends_what_it_started(service: Served) -> None:
    one = await running(service.box)
    headers = {"Authorization": f"Bearer {await service.key(Scope.ADMIN)}"}
    url = f"ws://127.0.0.1:{service.port}{PREFIX}/evaluations/{one.id}/shell"
    attempt = service.box._scheduler.run_of(one.id)
    async with connect(url, additional_headers=headers, proxy=None) as connection:
        await connection.send('{"command": ["sleep", "inf"]}')
        assert "started" in str(await connection.recv())
        assert attempt.beside.count == 1

    async def gone() -> bool:
        return attempt.beside.count == 0

    await until(gone)
    assert (await service.box.get(one.id)).state is State.RUNNING


async def test_what_runs_at_this_moment(reached: Reached) -> None:
    box = reached.box
    assert list(await box.activity()) == []
    one = await running(box, "echo", "four", ";", "memory", "4096", ";", "sleep", "inf")

    async def measured() -> bool:
        (found,) = await box.activity()
        return found.cpu is not None and found.output_bytes == 5

    await until(measured)
    (found,) = await box.activity()
    assert (found.evaluation_id, found.attempt, found.phase) == (one.id, 1, "running")
    assert (found.memory, found.pids, found.cpu) == (4096, 1, 0.0)
    assert found.limits == one.spec.limits
    assert found.last_output_at is not None
    assert found.since <= found.last_output_at
    second = await running(box)
    async with asyncio.timeout(10):
        while len(await box.activity()) < 2:
            await asyncio.sleep(0.01)
    assert [item.evaluation_id for item in await box.activity()] == [one.id, second.id]
    await box.cancel([one.id, second.id])
    for item in (one, second):
        await box.wait(item.id)
    assert list(await box.activity()) == []


async def test_an_adopted_attempt_goes_on_from_what_there_was(tmp_path: Path) -> None:
    engine = FakeEngine()
    settings = settings_in(tmp_path / "box")
    async with opened(settings, engine) as box:
        await running(box, "echo", "word", ";", "sleep", "inf")

        async def printed() -> bool:
            return (await box.activity())[0].output_bytes == 5

        await until(printed)
        before = (await box.activity())[0].last_output_at
    async with opened(settings, engine) as box:
        found = await phase(box, "running")
        assert found.output_bytes == 5
        assert found.last_output_at == pytest.approx(before, abs=0.1)
    await engine.close()


async def test_the_place_in_the_line(reached: Reached) -> None:
    box = reached.box
    await box.pause()
    made = await box.submit([spec("true", name=f"t{number}") for number in range(4)])
    ids = [one.id for one in made]
    moved = await box.prioritize([ids[3], ids[2]], Priority.HIGH)
    assert [(one.id, one.spec.priority) for one in moved] == [
        (ids[3], Priority.HIGH), (ids[2], Priority.HIGH),
    ]  # fmt: skip
    (low,) = await box.prioritize([ids[0]], Priority.LOW)
    assert low.spec.priority is Priority.LOW
    events = [event async for event in box.events(evaluation_id=ids[3])]
    assert (events[-1].kind, events[-1].data) == ("evaluation.prioritized", {"priority": "high"})
    await box.prioritize([ids[3]], Priority.HIGH)
    assert len([event async for event in box.events(evaluation_id=ids[3])]) == len(events)
    assert "1 ahead" in await box.explain(ids[3])
    await box.set_slots(1)
    after = await box.last_seq()
    await box.resume()
    for one in made:
        await box.wait(one.id)
    async with aclosing(box.events(after=after)) as told:
        begun = [one.evaluation_id async for one in told if one.kind == "evaluation.starting"]
    assert begun == [ids[2], ids[3], ids[1], ids[0]]
    with pytest.raises(InvalidTransition, match="completed"):
        await box.prioritize([ids[0]], Priority.HIGH)


async def test_all_are_moved_or_none(reached: Reached) -> None:
    box = reached.box
    done = await run(reached.served.box, spec("true"))
    (later,) = await box.submit([spec("true", not_before=2e9)])
    for bad in (done.id, NOWHERE):
        with pytest.raises((InvalidTransition, EvaluationNotFound)):
            await box.prioritize([later.id, bad], Priority.HIGH)
    assert (await box.get(later.id)).spec.priority is Priority.NORMAL


async def test_the_same_request_again_gives_what_was_moved(box: LocalBox) -> None:
    asked = spec("true", not_before=2e9, idempotency_key="k")
    (first,) = await box.submit([asked])
    await box.prioritize([first.id], Priority.LOW)
    (again,) = await box.submit([asked])
    assert (again.id, again.spec.priority) == (first.id, Priority.LOW)


async def test_bad_priorities(service: Served) -> None:
    async with service.client(await service.key(Scope.SUBMIT)) as client:
        for body in ({"ids": ["x"]}, {"ids": ["x"], "priority": "urgent"}, {"priority": "low"}):
            answer = await client.post("/evaluations/prioritize", json=body)
            assert code(answer) == (422, "invalid_input")
    async with service.client(await service.key(Scope.READ)) as client:
        body = {"ids": ["x"], "priority": "low"}
        assert (await client.post("/evaluations/prioritize", json=body)).status_code == 403
        assert (await client.get("/activity")).json() == []
