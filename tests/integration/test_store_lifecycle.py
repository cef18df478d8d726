import asyncio
import os
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from evalbox.domain.attempt import Usage, Verdict
from evalbox.domain.clock import ManualClock
from evalbox.domain.environment import Withheld
from evalbox.domain.evaluation import Evaluation, EvaluationSpec, InputFile, Priority
from evalbox.domain.outcome import Outcome
from evalbox.domain.records import ArtifactRecord, EvaluationFilter
from evalbox.domain.state import State
from evalbox.errors import (
    AmbiguousId,
    BatchNotFound,
    Conflict,
    EvaluationNotFound,
    FileMissing,
    InvalidInput,
    InvalidTransition,
)
from evalbox.store.store import Store

SPEC = EvaluationSpec(name="hello", command=("true",), image="base", engine="fake")
OK = Verdict(Outcome.OK, exit_code=0)
USAGE = Usage(cpu_seconds=1.5, memory=1, memory_peak=2, pids=3, disk=4, read_bytes=5)


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
async def store(tmp_path: Path, clock: ManualClock) -> AsyncIterator[Store]:
    async with await Store.open(tmp_path / "data", clock=clock) as opened:
        yield opened


async def submit(store: Store, *specs: EvaluationSpec) -> list[Evaluation]:
    return await store.submit(specs or (SPEC,), store.clock.now())


async def claim(store: Store, limit: int = 1) -> list[Evaluation]:
    return await store.claim(limit, store.clock.now(), free_cpus=99, free_memory=1 << 50)


async def run(store: Store, one: Evaluation) -> bool:
    return await store.mark_running(
        one.id, one.attempts, store.clock.now(), sandbox_id="box", image_digest="sha", warm=True
    )


async def finish(
    store: Store,
    one: Evaluation,
    state: State = State.COMPLETED,
    *,
    verdict: Verdict = OK,
    not_before: float | None = None,
    artifacts: tuple[ArtifactRecord, ...] = (),
) -> bool:
    return await store.finish(
        one.id,
        one.attempts,
        store.clock.now(),
        verdict=verdict,
        usage=USAGE,
        state=state,
        not_before=not_before,
        output_bytes=7,
        truncated=True,
        first_output_at=store.clock.now(),
        failures=0,
        infra_failures=1,
        artifacts=artifacts,
    )


async def completed(store: Store) -> Evaluation:
    await submit(store)
    (one,) = await claim(store)
    assert await finish(store, one)
    return await store.get(one.id)


async def kinds(store: Store, evaluation_id: str | None = None) -> list[str]:
    return [event.kind for event in await store.events(0, evaluation_id=evaluation_id)]


async def test_from_the_queue_to_the_end(store: Store, clock: ManualClock) -> None:
    (queued,) = await submit(store)
    assert await store.get(queued.id) == queued
    clock.advance(1)
    (starting,) = await claim(store)
    assert (starting.state, starting.attempts) == (State.STARTING, 1)
    clock.advance(1)
    assert await run(store, starting)
    assert await store.mark_scoring(starting.id, 1, clock.now())
    ((active, attempt),) = await store.active()
    assert (active.state, attempt.sandbox_id, attempt.warm) == (State.SCORING, "box", True)
    clock.advance(1)
    kept = (ArtifactRecord("a", 1, 0o600), ArtifactRecord("b", 2, 0, "skipped", "why"))
    assert await finish(store, starting, artifacts=kept)
    done = await store.get(queued.id)
    assert (done.state, done.outcome, done.exit_code) == (State.COMPLETED, Outcome.OK, 0)
    assert done.finished_at == done.updated_at == clock.now()
    assert done.started_at == clock.now() - 1
    (attempt,) = await store.attempts(queued.id)
    assert (attempt.verdict, attempt.usage, attempt.output_bytes) == (OK, USAGE, 7)
    assert attempt.truncated
    assert await store.artifacts(queued.id) == list(kept)
    assert await store.artifacts(queued.id, 1) == list(kept)
    assert await store.artifacts(queued.id, 2) == []
    assert await kinds(store) == [
        f"evaluation.{state}" for state in ("queued", "starting", "running", "scoring", "completed")
    ]
    last = (await store.events(4))[0]
    assert last.data == {"outcome": "ok", "exit_code": 0, "reason": ""}
    assert last.attempt == 1
    assert await store.active() == []


async def test_a_late_result_changes_nothing(store: Store) -> None:
    await submit(store)
    (first,) = await claim(store)
    assert await run(store, first)
    assert await finish(store, first, State.QUEUED)
    assert not await finish(store, first)
    (second,) = await claim(store)
    assert second.attempts == 2
    seq = await store.last_seq()
    assert not await finish(store, first)
    assert not await run(store, first)
    assert not await store.mark_scoring(first.id, 1, 0.0)
    assert await store.last_seq() == seq
    assert (await store.get(first.id)).state is State.STARTING
    assert await finish(store, second)
    assert not await finish(store, second)
    assert [one.number for one in await store.attempts(first.id)] == [1, 2]


async def test_running_may_be_said_again_but_not_out_of_order(store: Store) -> None:
    await submit(store)
    (one,) = await claim(store)
    assert await run(store, one)
    assert await run(store, one)
    assert await store.mark_scoring(one.id, 1, 0.0)
    with pytest.raises(InvalidTransition):
        await run(store, one)
    with pytest.raises(InvalidTransition):
        await finish(store, one, State.RUNNING)
    assert (await kinds(store)).count("evaluation.running") == 1


async def test_a_retry_waits_for_its_time(store: Store, clock: ManualClock) -> None:
    await submit(store)
    (one,) = await claim(store)
    due = clock.now() + 30
    assert await finish(
        store, one, State.QUEUED, verdict=Verdict(Outcome.FAILED, 3), not_before=due
    )
    again = await store.get(one.id)
    assert (again.state, again.outcome, again.not_before) == (State.QUEUED, Outcome.FAILED, due)
    assert await claim(store) == []
    assert await store.next_due(clock.now()) == due
    assert (await store.why_waiting(one.id, clock.now())).cause == "not_before"
    clock.advance(30)
    assert [each.attempts for each in await claim(store)] == [2]
    assert await store.next_due(clock.now()) is None


async def test_cancelling(store: Store, clock: ManualClock) -> None:
    await submit(store, *[SPEC] * 3)
    (active,) = await claim(store)
    waiting = (await store.list(EvaluationFilter(), limit=1))[0]
    result = await store.request_cancel([active.id, waiting.id, active.id], clock.now())
    assert [(one.state, one.cancel_requested) for one in result] == [
        (State.STARTING, True),
        (State.CANCELLED, True),
    ]
    assert result[1].outcome is Outcome.CANCELLED
    assert await store.cancel_requests() == [active.id]
    assert not await run(store, active)
    await store.request_cancel([active.id], clock.now())
    assert (await kinds(store)).count("evaluation.cancel_requested") == 1
    # A decision to try again that crossed the wish to cancel.
    assert await finish(store, active, State.QUEUED)
    assert (await store.get(active.id)).state is State.CANCELLED
    other = (await store.list(EvaluationFilter(), limit=3))[1]
    with pytest.raises(InvalidTransition, match=active.short_id):
        await store.request_cancel([other.id, active.id], clock.now())
    assert (await store.get(other.id)).state is State.QUEUED
    with pytest.raises(EvaluationNotFound):
        await store.request_cancel([other.id, "nothing"], clock.now())


async def test_trying_again_what_has_ended(store: Store, clock: ManualClock) -> None:
    one = await completed(store)
    (again,) = await store.retry([one.id], clock.now())
    assert (again.state, again.attempts, again.infra_failures) == (State.QUEUED, 1, 0)
    assert again.finished_at is None
    with pytest.raises(InvalidTransition):
        await store.retry([one.id], clock.now())
    (second,) = await claim(store)
    assert second.attempts == 2
    with pytest.raises(InvalidTransition, match="tried again"):
        await store.retry([one.id], clock.now())


async def test_removing(store: Store, clock: ManualClock) -> None:
    blob, size = await store.put_blob(b"input")
    spec = replace(SPEC, inputs=(InputFile("/in", blob, size),), labels={"k": "v"}, batch="b")
    await submit(store, spec, spec)
    one, other = await claim(store, 2)
    with pytest.raises(InvalidTransition, match="removed"):
        await store.remove([one.id])
    writer = store.output_writer(one.id, 1)
    writer.append(1, b"output", 0.0)
    writer.close()
    await store.add_samples([(one.id, 1, 1.0, USAGE)])
    await finish(store, one, artifacts=(ArtifactRecord("a", 1),))
    await finish(store, other)
    clock.advance(3600)
    await store.remove([one.id])
    assert not store.attempt_dir(one.id, 1).exists()
    assert store.blob_path(blob).exists()
    with pytest.raises(EvaluationNotFound):
        await store.get(one.id)
    assert await kinds(store, one.id) == ["evaluation.removed"]
    assert await store.samples(one.id, 1) == []
    await store.remove([other.id])
    assert not store.blob_path(blob).exists()
    assert (await store.batch("b")).total == 0


async def test_idempotency_keys(store: Store) -> None:
    spec = replace(SPEC, idempotency_key="once", env={"a": "1", "b": "2"})
    first, same = await submit(store, spec, replace(spec, env={"b": "2", "a": "1"}))
    assert first.id == same.id
    assert (await submit(store, spec))[0].id == first.id
    with pytest.raises(Conflict, match=first.short_id):
        await submit(store, SPEC, replace(spec, name="other"))
    assert sum((await store.count_by_state()).values()) == 1


@pytest.mark.parametrize(
    "spec",
    [
        replace(SPEC, name="bad\udcff"),
        replace(SPEC, labels={"k": "\ud800"}),
        replace(SPEC, batch=""),
        replace(SPEC, idempotency_key="a\0b"),
        replace(SPEC, not_before=float("nan")),
        replace(SPEC, inputs=(InputFile("/x", "../../etc/passwd", 1),)),
    ],
)
async def test_what_cannot_be_stored_is_refused(store: Store, spec: EvaluationSpec) -> None:
    with pytest.raises(InvalidInput):
        await submit(store, SPEC, spec)
    assert await store.last_seq() == 0


async def test_arguments_that_are_not_text_survive(store: Store) -> None:
    spec = replace(SPEC, command=("echo", os.fsdecode(b"\xff\xfe")), env={"K": "\udc80"})
    (one,) = await submit(store, spec)
    found = await store.get(one.id)
    assert found.spec == replace(spec, env=Withheld(["K"]))
    assert await store.environment(found) == spec.env


async def test_references(store: Store) -> None:
    first, second = await submit(store, SPEC, SPEC)
    assert await store.resolve(first.id) == first.id
    assert await store.resolve(first.short_id.upper()) == first.id
    assert await store.resolve(second.id[:15]) == second.id
    with pytest.raises(AmbiguousId) as caught:
        await store.resolve(first.id[:10])
    assert set(caught.value.candidates) == {first.id, second.id}
    for wrong in ("", "zzzzzzzz", "%", "a" * 99, "né"):
        with pytest.raises(EvaluationNotFound):
            await store.resolve(wrong)


async def test_lists(store: Store, clock: ManualClock) -> None:
    specs = [
        replace(SPEC, name=f"job-{number}", labels={"n": str(number % 2), "all": "x"})
        for number in range(5)
    ]
    made = await submit(store, *specs)
    clock.advance(10)
    made += await submit(
        store, replace(SPEC, name="other", batch="b", priority=Priority.HIGH, engine="gvisor")
    )
    done = (await claim(store))[0]
    await finish(store, done, State.FAILED, verdict=Verdict(Outcome.TIMEOUT))

    async def names(limit: int = 10, **wanted: object) -> list[str]:
        found = await store.list(EvaluationFilter(**wanted), limit=limit)  # type: ignore[arg-type]
        return [one.spec.name for one in found]

    assert await names(3) == ["other", "job-4", "job-3"]
    assert await names(name="job-[12]") == ["job-2", "job-1"]
    assert await names(labels={"n": "1", "all": "x"}) == ["job-3", "job-1"]
    assert await names(labels={"n": "9"}) == []
    assert await names(batch="b") == ["other"]
    assert await names(engine="gvisor", priority=Priority.HIGH) == ["other"]
    assert await names(states=frozenset({State.FAILED, State.DEAD})) == ["other"]
    assert await names(outcomes=frozenset({Outcome.TIMEOUT})) == ["other"]
    assert await names(created_after=clock.now()) == ["other"]
    assert len(await names(created_before=clock.now())) == 5
    assert await names(priority=Priority.NORMAL, limit=1) == ["job-4"]
    page = await store.list(limit=2, after=made[2].id)
    assert [one.id for one in page] == [made[1].id, made[0].id]
    page = await store.list(limit=2, after=made[2].id, newest_first=False)
    assert [one.id for one in page] == [made[3].id, made[4].id]


async def test_batches(store: Store, clock: ManualClock) -> None:
    await submit(store, *[replace(SPEC, batch="b")] * 3)
    with pytest.raises(BatchNotFound):
        await store.batch("c")
    await store.set_batch_concurrency("c", None, clock.now())
    assert (await store.set_batch_concurrency("b", 1, clock.now())).concurrency == 1
    (one,) = await claim(store, 3)
    waiting = (await store.list(limit=1))[0]
    why = await store.why_waiting(waiting.id, clock.now())
    assert (why.cause, why.ahead) == ("batch_limit", 1)
    await finish(store, one)
    batch = await store.batch("b")
    assert batch.states == {State.COMPLETED: 1, State.QUEUED: 2}
    assert batch.outcomes == {Outcome.OK: 1}
    assert {each.name: each.total for each in await store.batches()} == {"b": 3, "c": 0}
    for wrong in (0, -1):
        with pytest.raises(InvalidInput):
            await store.set_batch_concurrency("b", wrong, clock.now())
    assert len(await store.events(0, batch="b")) == 6


async def test_why_waiting(store: Store, clock: ManualClock) -> None:
    one, two = await submit(store, SPEC, SPEC)

    async def cause(**free: object) -> tuple[str, int]:
        why = await store.why_waiting(two.id, clock.now(), **free)  # type: ignore[arg-type]
        return why.cause, why.ahead

    assert await cause() == ("turn", 1)
    assert await cause(free_cpus=0.5) == ("resources", 1)
    assert await cause(free_memory=1) == ("resources", 1)
    assert await cause(held_engines=frozenset({"fake"})) == ("engine_held", 1)
    await store.set_paused(True, clock.now())
    assert await cause() == ("paused", 1)
    assert await claim(store) == []
    await store.request_cancel([one.id], clock.now())
    assert await cause() == ("paused", 0)
    with pytest.raises(EvaluationNotFound):
        await store.why_waiting("nothing", clock.now())


async def test_the_queues_settings(store: Store, clock: ManualClock) -> None:
    assert (await store.queue_state()).slots is None
    await store.set_slots(3, clock.now())
    await store.set_slots(3, clock.now())
    await store.set_paused(True, clock.now())
    await store.set_paused(False, clock.now())
    state = await store.queue_state()
    assert (state.paused, state.slots) == (False, 3)
    assert await kinds(store) == ["queue.resized", "queue.paused", "queue.resumed"]
    with pytest.raises(InvalidInput):
        await store.set_slots(0, clock.now())
    await store.set_holding("no memory")
    assert await store.holding() == "no memory"


async def test_a_claim_whose_caller_is_cancelled_is_given_back(store: Store) -> None:
    await submit(store, *[SPEC] * 4)
    for pauses in range(6):
        task = asyncio.create_task(claim(store, 2))
        for _ in range(pauses):
            await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    # The writer takes its work in turn: this comes after what was given back.
    await store.record("test.mark", 0.0, {})
    for _ in range(3):
        await store.record("test.mark", 0.0, {})
    assert await store.active() == []
    assert [one.attempts for one in await claim(store, 9)] == [1] * 4


async def test_a_write_whose_caller_is_cancelled_takes_place(store: Store) -> None:
    task = asyncio.create_task(submit(store))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await store.record("test.mark", 0.0, {})
    assert (await store.count_by_state())[State.QUEUED] == 1


async def test_a_refusal_undoes_only_itself(store: Store) -> None:
    key = replace(SPEC, idempotency_key="k")
    await submit(store, key)
    results = await asyncio.gather(
        submit(store, SPEC),
        submit(store, SPEC, replace(key, name="other")),
        submit(store, SPEC, SPEC),
        return_exceptions=True,
    )
    assert [isinstance(result, Conflict) for result in results] == [False, True, False]
    assert (await store.count_by_state())[State.QUEUED] == 4


async def test_waiting_for_a_change(store: Store) -> None:
    assert await store.wait_for_change(0, 0.0) == 0
    assert await store.wait_for_change(0, 0.02) == 0
    waiter = asyncio.create_task(store.wait_for_change(0, 30))
    await asyncio.sleep(0)
    await submit(store)
    assert await asyncio.wait_for(waiter, 0.09) == 1
    assert await store.wait_for_change(0, 30) == 1
    cancelled = asyncio.create_task(store.wait_for_change(1, 30))
    await asyncio.sleep(0)
    cancelled.cancel()
    with pytest.raises(asyncio.CancelledError):
        await cancelled


async def test_waiting_ends_with_the_store(tmp_path: Path, clock: ManualClock) -> None:
    store = await Store.open(tmp_path / "data", clock=clock)
    waiter = asyncio.create_task(store.wait_for_change(0, 30))
    await asyncio.sleep(0.01)
    await store.close()
    assert await asyncio.wait_for(waiter, 1) == 0


async def test_samples_are_bounded(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("evalbox.store.samples.ATTEMPT_SAMPLES", 50)
    monkeypatch.setattr("evalbox.store.samples.HOST_SAMPLES", 20)
    monkeypatch.setattr("evalbox.store.samples.HOST_SAMPLES_AGE", 100.0)
    (one,) = await submit(store)
    await store.add_samples([(one.id, 1, float(at), USAGE) for at in range(500)])
    await store.add_samples([("unknown", 1, 0.0, USAGE)])
    samples = await store.samples(one.id, 1)
    assert 25 <= len(samples) <= 50
    assert (samples[0][0], samples[-1]) == (0.0, (499.0, USAGE))
    for at in range(30):
        await store.add_host_sample(float(at), {"cpu": at})
    assert await store.host_samples(25) == [(float(at), {"cpu": at}) for at in range(25, 30)]
    assert len(await store.host_samples(0)) == 20
    await store.add_host_sample(120.5, {})
    assert [at for at, _ in await store.host_samples(0)] == [*map(float, range(21, 30)), 120.5]


async def test_blobs(store: Store, clock: ManualClock, tmp_path: Path) -> None:
    sha, size = await store.put_blob(b"data")
    assert await store.put_blob(b"data") == (sha, size)
    assert size == 4
    (tmp_path / "file").write_bytes(b"data" * 100_000)
    big, _ = await store.put_blob_file(tmp_path / "file")
    assert await store.read_blob(big) == b"data" * 100_000
    spec = replace(SPEC, stdin=InputFile("/dev/stdin", sha, size))
    await submit(store, spec)
    with pytest.raises(FileMissing):
        await store.put_blob_file(tmp_path / "missing")
    with pytest.raises(InvalidInput):
        await store.put_blob_file(tmp_path)
    with pytest.raises(FileMissing, match="/in"):
        await submit(store, replace(SPEC, inputs=(InputFile("/in", "0" * 64, 1),)))
    assert await store.collect_garbage(clock.now()) == 0
    clock.advance(86400 + 1)
    assert await store.collect_garbage(clock.now()) == 1
    assert not store.blob_path(big).exists()
    assert await store.read_blob(sha) == b"data"
    assert [path.name for path in (store.directory / "blobs").rglob("*") if path.is_file()] == [sha]
