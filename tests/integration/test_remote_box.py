"""What a Box does, whichever way it is reached: in this process, by its socket, by TCP."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import replace
from pathlib import Path

import pytest
from api_support import WAYS, Reached, Served, reached, served
from recovery_support import output, spec, until

from evalbox.domain.access import Scope
from evalbox.domain.batch import Batch
from evalbox.domain.evaluation import Evaluation, InputFile, Priority
from evalbox.domain.limits import Limits
from evalbox.domain.outcome import Outcome
from evalbox.domain.records import EvaluationFilter
from evalbox.domain.retry import RetryPolicy
from evalbox.domain.state import State
from evalbox.errors import (
    AmbiguousId,
    ArtifactNotFound,
    BatchNotFound,
    Conflict,
    EvaluationNotFound,
    FileMissing,
    InvalidInput,
    InvalidTransition,
    KeyNotFound,
    ServiceUnreachable,
)
from evalbox.host.sockets import NAME
from evalbox.service.box import Box
from evalbox.service.remote.box import RemoteBox
from evalbox.service.remote.client import Client


@pytest.fixture(params=WAYS, name="reached")
async def _reached(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Reached]:
    async with reached(request.param, tmp_path) as found:
        yield found


async def run(box: Box, *command: str, **changes: object) -> Evaluation:
    (made,) = await box.submit([spec(*command, **changes)])
    async with asyncio.timeout(20):
        return await box.wait(made.id)


async def test_all_of_an_evaluation_comes_back_as_it_was_given(reached: Reached) -> None:
    box = reached.box
    blob, size = await box.upload(b"\0content")
    given = spec(
        "cat", "in",
        env={"A": "secret"}, inputs=(InputFile("/home/agent/in", blob, size, 0o600),),
        stdin=InputFile("/stdin", blob, size), artifacts=("/home/agent/in",), batch="b",
        limits=Limits(memory=64 << 20, timeout=7.5, cpus=0.25, pids=9), priority=Priority.HIGH,
        retry=RetryPolicy(retries=2, base=0.5), labels={"k": "v"}, idempotency_key="once",
        not_before=1_000_000_000.5, name="näme",
    )  # fmt: skip
    (made,) = await box.submit([given])
    async with asyncio.timeout(20):
        found = await box.wait(made.id)
    assert (found.state, found.outcome, found.exit_code) == (State.COMPLETED, Outcome.OK, 0)
    # Of a time that has come an evaluation tells nothing more.
    assert replace(found.spec, env=given.env, not_before=given.not_before) == given
    assert set(found.spec.env) == {"A"}
    (again,) = await box.submit([given])
    assert again.id == made.id
    with pytest.raises(Conflict):
        await box.submit([replace(given, command=("other",))])
    assert await box.resolve(made.short_id) == made.id
    (attempt,) = await box.attempts(made.id)
    assert (attempt.number, attempt.output_bytes) == (1, size)
    assert await box.samples(made.id, 1) is not None
    (kept,) = await box.artifacts(made.id)
    assert b"".join([data async for data in box.read_artifact(made.id, kept.path)]) == b"\0content"


async def test_output_is_the_same_bytes(reached: Reached) -> None:
    box = reached.box
    found = await run(box, "echo", "é", ";", "error", "bad", ";", "print", "200000")
    pieces = [piece async for piece in box.output(found.id)]
    assert b"".join(p.data for p in pieces if p.stream == 1) == "é\n".encode() + b"x" * 200_000
    assert b"".join(p.data for p in pieces if p.stream == 2) == b"bad\n"
    assert pieces == [piece async for piece in box.output(found.id, follow=True)]
    rest = [piece async for piece in box.output(found.id, attempt=1, offset=2)]
    assert b"".join(piece.data for piece in rest) == b"".join(p.data for p in pieces)[2:]


async def test_what_is_not_text_is_refused_where_it_cannot_be_sent(reached: Reached) -> None:
    wanted = spec("echo", "\udcff")
    if reached.kind == "local":
        (made,) = await reached.box.submit([wanted])
        assert (await reached.box.get(made.id)).spec.command == wanted.command
        return
    with pytest.raises(InvalidInput, match="UTF-8"):
        await reached.box.submit([wanted])


async def test_output_is_followed_over_retries(reached: Reached) -> None:
    box = reached.box
    retry = RetryPolicy(retries=2, base=0.0, cap=0.0)
    (made,) = await box.submit([spec("echo", "a", ";", "flaky", "1", retry=retry)])
    async with asyncio.timeout(20):
        pieces = [piece async for piece in box.output(made.id, follow=True)]
    assert sum(piece.data.count(b"a\n") for piece in pieces) == 2
    assert [attempt.number for attempt in await box.attempts(made.id)] == [1, 2]


async def test_the_first_attempt_may_be_waited_for(reached: Reached) -> None:
    box = reached.box
    await box.pause()
    (made,) = await box.submit([spec("echo", "late")])
    following = asyncio.create_task(collected(box, made.id))
    await box.resume()
    async with asyncio.timeout(20):
        assert await following == b"late\n"


async def collected(box: Box, evaluation_id: str) -> bytes:
    pieces = box.output(evaluation_id, attempt=1, follow=True)
    return b"".join([piece.data async for piece in pieces])


async def test_lists_are_filtered_and_paged_alike(reached: Reached) -> None:
    box = reached.box
    for number in range(5):
        await run(box, "exit", str(number % 2), name=f"n{number}", labels={"odd": str(number % 2)})
    first = await box.list(EvaluationFilter(), limit=2)
    rest = await box.list(EvaluationFilter(), limit=10, after=first[-1].id)
    assert [item.spec.name for item in [*first, *rest]] == ["n4", "n3", "n2", "n1", "n0"]
    odd = EvaluationFilter(labels={"odd": "1"}, outcomes=frozenset({Outcome.FAILED}))
    assert [item.spec.name for item in await box.list(odd)] == ["n3", "n1"]
    by_time = EvaluationFilter(created_after=first[-1].created_at)
    assert {item.id for item in await box.list(by_time)} == {item.id for item in first}
    with pytest.raises(AmbiguousId) as ambiguous:
        await box.resolve(first[0].id[:3])
    assert first[0].id in ambiguous.value.candidates


@pytest.mark.parametrize("name", [".", "..", "a/b", "a%2Fb", "a?b#c"])
async def test_a_batch_may_be_called_what_paths_are_made_of(reached: Reached, name: str) -> None:
    await reached.box.submit([spec("true", batch=name)])
    assert (await reached.box.batch(name)).total == 1
    assert (await reached.box.set_batch_concurrency(name, 3)).concurrency == 3


async def test_control_and_its_mistakes(reached: Reached) -> None:
    box = reached.box
    await box.pause()
    (waiting,) = await box.submit([spec("true", batch="b")])
    assert "paused" in await box.explain(waiting.id)
    (cancelled,) = await box.cancel([waiting.id])
    assert cancelled.state is State.CANCELLED
    with pytest.raises(InvalidTransition):
        await box.cancel([waiting.id])
    await box.resume()
    (again,) = await box.retry([waiting.id])
    assert again.id == waiting.id
    async with asyncio.timeout(20):
        assert (await box.wait(waiting.id)).state is State.COMPLETED
    batch: Batch = await box.set_batch_concurrency("b", 2)
    assert (batch.concurrency, (await box.batch("b")).states[State.COMPLETED]) == (2, 1)
    assert [one.name for one in await box.batches()] == ["b"]
    await box.set_slots(3)
    queue = await box.queue()
    assert (queue.slots, queue.paused, queue.working, queue.draining) == (3, False, True, False)
    await box.remove([waiting.id])
    for asked in (box.get, box.attempts, box.explain, box.wait, box.resolve, box.artifacts):
        with pytest.raises(EvaluationNotFound):
            await asked(waiting.id)  # type: ignore[operator]
    with pytest.raises(BatchNotFound):
        await box.batch("none")
    with pytest.raises(InvalidInput, match="slots"):
        await box.set_slots(0)
    with pytest.raises(InvalidInput):
        await box.submit([spec("true", limits=Limits(memory=0))])
    with pytest.raises(InvalidInput):
        await box.submit([])
    with pytest.raises(FileMissing):
        await box.upload(Path("/no/such/file"))


async def test_artifacts_that_are_not_there(reached: Reached) -> None:
    found = await run(reached.box, "true")
    for path in ("none", "../../evalbox.db", "/etc/passwd", "a/../../b", "%2e%2e/x"):
        with pytest.raises(ArtifactNotFound):
            _ = [data async for data in reached.box.read_artifact(found.id, path)]


async def test_events_are_followed_from_anywhere(reached: Reached) -> None:
    box = reached.box
    found = await run(box, "true", batch="b")
    kinds = [event.kind async for event in box.events(evaluation_id=found.id)]
    assert (kinds[0], kinds[-1]) == ("evaluation.queued", "evaluation.completed")
    every = [event async for event in box.events()]
    assert [event.seq for event in every] == list(range(1, len(every) + 1))
    assert await box.last_seq() == every[-1].seq
    after = every[2].seq
    async with aclosing(box.events(after=after, follow=True, batch="b")) as feed:  # type: ignore[type-var]
        async with asyncio.timeout(20):
            for event in every[3:]:
                assert await anext(feed) == event
            coming = asyncio.ensure_future(anext(feed))
            await run(box, "true", batch="b")
            assert (await coming).kind == "evaluation.queued"


async def test_keys_audit_host_and_checks(reached: Reached) -> None:
    box = reached.box
    key, token = await box.keys.create("new", [Scope.READ])
    assert token.startswith("evb_")
    assert key.id in [one.id for one in await box.keys.list()]
    assert (await box.keys.revoke("new")).id == key.id
    with pytest.raises(KeyNotFound):
        await box.keys.revoke("new")
    newest = (await box.audit.list(limit=3))[-1]
    assert (newest.action, newest.target) == ("key.revoke", "new")
    assert (await box.audit.verify()).sound
    host = await box.host(since=0.0)
    assert (host.engine, host.slots) == ("fake", 4)
    checks = [check.name async for check in box.diagnose(["fake"])]
    assert "python" in checks
    await box.require_engine()


async def test_a_backup_is_a_new_file(reached: Reached, tmp_path: Path) -> None:
    await reached.box.backup(tmp_path / "copy")
    assert (tmp_path / "copy").stat().st_size > 10_000
    with pytest.raises(Conflict):
        await reached.box.backup(tmp_path / "copy")
    assert [path.name for path in tmp_path.glob("*copy*")] == ["copy"]


async def test_streams_end_as_gone_away_when_the_service_stops(tmp_path: Path) -> None:
    async with served(tmp_path, work=True) as found:
        box = RemoteBox(Client("http://box", socket=str(found.settings.data_dir / NAME)))
        (made,) = await box.submit([spec("echo", "begun", ";", "sleep", "inf")])
        following = asyncio.create_task(output(box, made.id, follow=True))  # type: ignore[arg-type]
        feeding = asyncio.create_task(feed(box))
        await until(lambda: has_output(found, made.id))
    for task in (following, feeding):
        with pytest.raises(ServiceUnreachable):
            async with asyncio.timeout(10):
                await task
    await box.close()


async def feed(box: Box) -> None:
    async for _ in box.events(follow=True):
        pass


async def has_output(found: Served, evaluation_id: str) -> bool:
    return bool(await output(found.box, evaluation_id))
