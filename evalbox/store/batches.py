"""Named groups of evaluations."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from evalbox.domain.batch import RECENT, Batch
from evalbox.domain.outcome import Outcome
from evalbox.domain.reduction import Reduction, ReductionState
from evalbox.domain.score import ScoreKind
from evalbox.domain.state import FINAL, State
from evalbox.errors import BatchNotFound, InvalidInput
from evalbox.store.access import Access
from evalbox.store.events import add_event
from evalbox.store.sqlite import Connection
from evalbox.store.submission import add_batch, check_text

_BATCH = """
SELECT name, created_at, concurrency, started_at, fail_fast, state, evaluation_id, reason
FROM batches LEFT JOIN reductions ON batch = name
"""
#: Reads an index alone.
_TALLY = """
SELECT batch, state, outcome, score_kind, count(*), max(finished_at),
  count(*) FILTER (WHERE finished_at > ?), sum(attempts), sum(spent), sum(respent), sum(score)
FROM evaluations INDEXED BY evaluations_tally
"""
_GROUPED = "GROUP BY batch, state, outcome, score_kind"
_UNSETTLED = frozenset({ScoreKind.MANUAL, ScoreKind.INVALID})


class Batches(Access):
    async def batches(self) -> list[Batch]:
        """All batches, the newest first."""
        now = self.clock.now()
        return await self._read(lambda conn: _all(conn, now))

    async def batch(self, name: str) -> Batch:
        """Raises ``BatchNotFound``."""
        now = self.clock.now()
        return await self._read(lambda conn: _one(conn, name, now))

    async def set_batch_concurrency(self, name: str, concurrency: int | None, now: float) -> Batch:
        """Sets how many of a batch run at once, None for no limit; creates the batch if need be."""
        check_text(name, "batch")
        if not name:
            raise InvalidInput("batch: the name is empty", field="batch")
        if concurrency is not None and concurrency < 1:
            raise InvalidInput(
                f"concurrency: {concurrency} is out of range",
                hint="give at least 1",
                field="concurrency",
            )

        def work(conn: Connection) -> Batch:
            add_batch(conn, name, now)
            conn.execute("UPDATE batches SET concurrency = ? WHERE name = ?", (concurrency, name))
            add_event(
                conn, "batch.limited", now, batch=name,
                data={"batch": name, "concurrency": concurrency},
            )  # fmt: skip
            return _one(conn, name, now)

        return await self._write(work)


def _all(conn: Connection, now: float) -> list[Batch]:
    tallies: dict[str, list[_Tally]] = {}
    for row in conn.execute(f"{_TALLY} WHERE batch IS NOT NULL {_GROUPED}", (now - RECENT,)):
        tallies.setdefault(row[0], []).append(_Tally(*row[1:]))
    rows = conn.execute(f"{_BATCH} ORDER BY created_at DESC, name")
    return [_batch(row, tallies.get(row[0], ())) for row in rows]


def _one(conn: Connection, name: str, now: float) -> Batch:
    row = conn.execute(f"{_BATCH} WHERE name = ?", (name,)).fetchone()
    if row is None:
        raise BatchNotFound(f"no batch {name!r}", hint="list them with: evalbox batch ls")
    rows = conn.execute(f"{_TALLY} WHERE batch = ? {_GROUPED}", (now - RECENT, name))
    return _batch(row, [_Tally(*one[1:]) for one in rows])


class _Tally(NamedTuple):
    """Of the evaluations of a batch that are alike in state, outcome and kind of score."""

    state: str
    outcome: str | None
    score_kind: str | None
    number: int
    finished_at: float | None
    recent: int
    attempts: int
    spent: float
    respent: float
    scores: float | None


def _batch(row: tuple[Any, ...], tallies: Sequence[_Tally]) -> Batch:
    name, created_at, concurrency, started_at, fail_fast, *reduction = row
    states: Counter[State] = Counter()
    outcomes: Counter[Outcome] = Counter()
    for one in tallies:
        states[State(one.state)] += one.number
        if one.outcome is not None and one.state in FINAL:
            outcomes[Outcome(one.outcome)] += one.number
    scored = sum(one.number for one in tallies if one.score_kind == ScoreKind.NUMBER)
    return Batch(
        name,
        created_at,
        concurrency,
        dict(states),
        dict(outcomes),
        started_at,
        finished_at=_finished_at(states, tallies),
        attempts=sum(one.attempts for one in tallies),
        spent=sum(one.spent for one in tallies),
        respent=sum(one.respent for one in tallies),
        recent=sum(one.recent for one in tallies),
        scored=scored,
        mean_score=_mean(sum(one.scores or 0.0 for one in tallies), scored),
        unsettled=sum(
            one.number
            for one in tallies
            if one.state == State.COMPLETED and one.score_kind in _UNSETTLED
        ),
        fail_fast=bool(fail_fast),
        reduction=_reduction(*reduction),
    )


def _reduction(
    state: str | None, evaluation_id: str | None, reason: str | None
) -> Reduction | None:
    if state is None:
        return None
    return Reduction(ReductionState(state), evaluation_id, reason or "")


def _mean(total: float, count: int) -> float | None:
    # The sum of numbers that are finite need not be.
    return total / count if count and math.isfinite(total) else None


def _finished_at(states: Iterable[State], tallies: Sequence[_Tally]) -> float | None:
    if not FINAL.issuperset(states):
        return None
    return max((one.finished_at for one in tallies if one.finished_at is not None), default=None)
