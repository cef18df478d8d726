"""Scores, error lines and the figures of batches in the store; and a database from before them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from evalbox.domain.attempt import Usage, Verdict
from evalbox.domain.batch import RECENT
from evalbox.domain.clock import ManualClock
from evalbox.domain.evaluation import Evaluation, EvaluationSpec
from evalbox.domain.outcome import Outcome
from evalbox.domain.score import Score, ScoreCheck, ScoreKind
from evalbox.domain.state import State
from evalbox.store.codec import encode_spec
from evalbox.store.migrate import APPLICATION_ID, migrations, newest
from evalbox.store.sqlite import open_writer
from evalbox.store.store import Store

SPEC = EvaluationSpec(
    name="hello", command=("true",), image="base", engine="fake", score="score.json", batch="b"
)
OK = Verdict(Outcome.OK, exit_code=0)
FAILED = Verdict(Outcome.FAILED, exit_code=1, error="KeyError: 'x'")
SCORE = Score(ScoreKind.NUMBER, 0.5, "half", "{...}", (ScoreCheck("a\ud800", True, 1.5, "d"),))


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
async def store(tmp_path: Path, clock: ManualClock) -> AsyncIterator[Store]:
    async with await Store.open(tmp_path / "data", clock=clock) as opened:
        yield opened


async def start(store: Store) -> Evaluation:
    """The next one, under way."""
    now = store.clock.now()
    (one,) = await store.claim(1, now, free_cpus=99, free_memory=1 << 50)
    await store.mark_running(
        one.id, one.attempts, now, sandbox_id="s", image_digest=None, warm=False
    )
    return one


async def end(
    store: Store, one: Evaluation, verdict: Verdict = OK, state: State = State.COMPLETED
) -> None:
    assert await store.finish(
        one.id,
        one.attempts,
        store.clock.now(),
        verdict=verdict,
        usage=Usage(),
        state=state,
        failures=0,
        infra_failures=0,
    )


async def test_a_score_and_an_error(store: Store) -> None:
    await store.submit([SPEC], store.clock.now())
    one = await start(store)
    await end(store, one, replace(FAILED, score=SCORE), State.QUEUED)
    found = await store.get(one.id)
    assert found.spec.score == "score.json"
    assert (found.score, found.error) == (SCORE.summary, "KeyError: 'x'")
    assert (await store.list(limit=1)) == [found]
    (attempt,) = await store.attempts(one.id)
    assert attempt.verdict == replace(FAILED, score=SCORE)
    event = (await store.events(0, evaluation_id=one.id))[-1]
    assert event.data["error"] == "KeyError: 'x'"
    assert event.data["score"] == {"kind": "number", "value": 0.5}
    # The next attempt has none, and then the evaluation has not.
    two = await start(store)
    assert two.score == SCORE.summary
    await end(store, two)
    found = await store.get(one.id)
    assert (found.score, found.error) == (None, "")
    assert (await store.events(0, evaluation_id=one.id))[-1].data.keys() == {
        "outcome", "exit_code", "reason",
    }  # fmt: skip


async def test_what_is_cancelled_in_the_queue_has_neither(store: Store) -> None:
    await store.submit([SPEC], store.clock.now())
    one = await start(store)
    await end(store, one, replace(FAILED, score=SCORE), State.QUEUED)
    (cancelled,) = await store.request_cancel([one.id], store.clock.now())
    assert (cancelled.outcome, cancelled.score, cancelled.error) == (Outcome.CANCELLED, None, "")


async def test_what_a_batch_took(store: Store, clock: ManualClock) -> None:
    await store.submit([SPEC] * 2, clock.now())
    batch = await store.batch("b")
    assert (batch.started_at, batch.finished_at, batch.attempts) == (None, None, 0)
    clock.advance(5)
    began = clock.now()
    one = await start(store)
    clock.advance(10)
    await end(store, one, FAILED, State.QUEUED)
    clock.advance(100)
    one = await start(store)
    clock.advance(3)
    await end(store, one, replace(OK, score=SCORE))
    batch = await store.batch("b")
    assert (batch.attempts, batch.spent, batch.respent) == (2, 13.0, 10.0)
    assert (batch.started_at, batch.finished_at, batch.recent) == (began, None, 1)
    two = await start(store)
    # An attempt that never ran took nothing.
    assert two.id != one.id
    clock.advance(7)
    await end(store, two, FAILED, State.FAILED)
    batch = await store.batch("b")
    assert (batch.attempts, batch.spent, batch.respent) == (3, 20.0, 10.0)
    assert (batch.finished_at, batch.recent, batch.ended) == (clock.now(), 2, 2)
    assert (batch.scored, batch.mean_score, batch.unsettled) == (1, 0.5, 0)
    assert await store.batches() == [batch]
    clock.advance(RECENT - 1)
    assert (await store.batch("b")).recent == 1
    # What a user has tried again was spent on what had to be.
    await store.retry([two.id], clock.now())
    batch = await store.batch("b")
    assert (batch.spent, batch.respent, batch.finished_at) == (20.0, 17.0, None)


async def test_an_attempt_that_never_started_took_nothing(store: Store, clock: ManualClock) -> None:
    await store.submit([SPEC], clock.now())
    (one,) = await store.claim(1, clock.now(), free_cpus=99, free_memory=1 << 50)
    clock.advance(50)
    await end(store, one, Verdict(Outcome.INFRA_ERROR), State.DEAD)
    batch = await store.batch("b")
    assert (batch.attempts, batch.spent, batch.started_at) == (1, 0.0, None)


async def test_scores_of_a_batch(store: Store, clock: ManualClock) -> None:
    scores = (
        Score(ScoreKind.NUMBER, -3.0), Score(ScoreKind.NUMBER, 0.0), Score(ScoreKind.MANUAL),
        Score(ScoreKind.INVALID, reason="no file score.json"), None,
    )  # fmt: skip
    await store.submit([SPEC] * 6, clock.now())
    for score in scores:
        await end(store, await start(store), replace(OK, score=score))
    await end(store, await start(store), replace(FAILED, score=scores[3]), State.FAILED)
    batch = await store.batch("b")
    assert (batch.scored, batch.mean_score, batch.unsettled) == (2, -1.5, 2)
    assert (batch.passed, batch.judged) == (3, 4)
    # Of two numbers whose sum is none, no mean can be told.
    await store.submit([SPEC] * 2, clock.now())
    for _ in range(2):
        huge = Score(ScoreKind.NUMBER, 1.7e308)
        await end(store, await start(store), replace(OK, score=huge))
    assert (await store.batch("b")).mean_score is None


def _version_4(directory: Path) -> None:
    directory.mkdir(mode=0o700)
    connection = open_writer(directory / "evalbox.db")
    for _, text in migrations()[:4]:
        connection.executescript(text)
    connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    connection.execute("PRAGMA user_version = 4")
    connection.execute("INSERT INTO batches VALUES ('b', 1.0, NULL), ('empty', 2.0, 3)")
    connection.execute("INSERT INTO lanes VALUES (1, 1, 'b', 'fake', 1.0, 536870912, NULL)")
    body = encode_spec(replace(SPEC, score=None))
    for name, state, outcome, tries in (
        ("a", "completed", "ok", ((10.0, 15.0), (20.0, 28.0))),
        ("b", "queued", "failed", ((5.0, 6.0), (None, 9.0))),
        ("c", "running", None, ((30.0, None),)),
        ("d", "queued", None, ()),
    ):
        identifier = name * 22
        connection.execute(
            "INSERT INTO evaluations (id, short, lane, batch, name, engine, priority, state, ready,"
            " created_at, updated_at, attempts, outcome, finished_at)"
            " VALUES (?, ?, 1, 'b', 'x', 'fake', 1, ?, 0, 1, 1, ?, ?, ?)",
            (identifier, name * 8, state, len(tries), outcome, 28.0 if outcome == "ok" else None),
        )
        connection.execute("INSERT INTO specs VALUES (?, ?)", (identifier, body))
        for number, (began, ended) in enumerate(tries, 1):
            connection.execute(
                "INSERT INTO attempts (evaluation_id, number, claimed_at, engine, started_at,"
                " finished_at, outcome) VALUES (?, ?, 4, 'fake', ?, ?, ?)",
                (identifier, number, began, ended, None if ended is None else "failed"),
            )
    connection.close()


async def test_a_database_of_version_4(tmp_path: Path, clock: ManualClock) -> None:
    directory = tmp_path / "box"
    _version_4(directory)
    async with await Store.open(directory, clock=clock) as store:
        assert newest() >= 5
        batches = {batch.name: batch for batch in await store.batches()}
        batch = batches["b"]
        assert (batch.started_at, batch.finished_at, batch.attempts) == (5.0, None, 5)
        assert (batch.spent, batch.respent) == (14.0, 6.0)
        assert (batches["empty"].started_at, batches["empty"].concurrency) == (None, 3)
        found = await store.get("a" * 22)
        assert (found.score, found.error, found.spec.score) == (None, "", None)
        assert [one.verdict for one in await store.attempts("a" * 22)] == [
            Verdict(Outcome.FAILED)
        ] * 2
