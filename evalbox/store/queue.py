"""The queue: what is claimed next, and why something is not."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from functools import partial

from evalbox.domain.evaluation import Evaluation
from evalbox.domain.records import QueueState, Waiting
from evalbox.errors import InvalidInput
from evalbox.store.access import Access
from evalbox.store.events import add_event
from evalbox.store.rows import EVALUATION, evaluation_from
from evalbox.store.sqlite import Connection
from evalbox.store.waiting import CPU_SLACK, Claimant, read_queue_state, why_waiting

#: The heads of lanes that may be claimed, as far as there is room. What runs in a batch is counted
#: anew each time: a counter beside it could go wrong.
_ELIGIBLE = """
  SELECT head, cpus, memory FROM lanes
  WHERE head IS NOT NULL
    AND NOT EXISTS (SELECT 1 FROM json_each(:held) WHERE value = lanes.engine)
    AND (batch = '' OR coalesce(
      (SELECT concurrency FROM batches WHERE name = lanes.batch) > (
        SELECT count(*) FROM evaluations
        WHERE batch = lanes.batch AND state IN ('starting', 'running', 'scoring')
      ), 1))
"""
_IN_ORDER = "ORDER BY priority, head LIMIT 1"
_FITS = "cpus <= :cpus AND memory <= :memory"


def _claiming(which: str) -> str:
    return f"""
UPDATE evaluations
SET state = 'starting', ready = 0, attempts = attempts + 1, updated_at = :now, not_before = NULL,
    started_at = NULL, finished_at = NULL
WHERE id = (SELECT head FROM ({which}))
RETURNING {EVALUATION}
"""


#: The first that fits, or the first if it fits.
_CLAIM = _claiming(f"{_ELIGIBLE} AND {_FITS} {_IN_ORDER}")
_CLAIM_FIRST = _claiming(f"SELECT head FROM ({_ELIGIBLE} {_IN_ORDER}) WHERE {_FITS}")
_PASSED_OVER = f"SELECT head FROM ({_ELIGIBLE} {_IN_ORDER}) WHERE NOT ({_FITS})"


class Queue(Access):
    async def claim(
        self,
        limit: int,
        now: float,
        *,
        free_cpus: float,
        free_memory: int,
        held_engines: frozenset[str] = frozenset(),
        in_order: bool = False,
    ) -> list[Evaluation]:
        """Begins an attempt of up to ``limit`` evaluations and returns them, state ``starting``.

        By priority, then age, passing over what does not fit into ``free_cpus`` and
        ``free_memory`` (bytes), whose engine is held or whose batch is at its limit. With
        ``in_order``, what does not fit holds up all that come after it. Empty while the queue is
        paused. When the awaiting task is cancelled, what was claimed is given back.
        """
        work = partial(
            _claim,
            limit=limit,
            now=now,
            free_cpus=free_cpus,
            free_memory=free_memory,
            held=json.dumps(sorted(held_engines)),
            query=_CLAIM_FIRST if in_order else _CLAIM,
        )
        return await self._write(work, undo=partial(_give_back, now=now))

    async def passed_over(
        self, *, free_cpus: float, free_memory: int, held_engines: frozenset[str] = frozenset()
    ) -> str | None:
        """The id of the first in line, if all that it lacks is room."""
        values = {
            "cpus": free_cpus + CPU_SLACK,
            "memory": free_memory,
            "held": json.dumps(sorted(held_engines)),
        }
        row = await self._read(lambda conn: conn.execute(_PASSED_OVER, values).fetchone())
        return row[0] if row else None

    async def next_due(self, now: float) -> float | None:
        """When the next of those that wait for a time is due, None where none does."""
        return await self._read(
            lambda conn: conn.execute(
                "SELECT min(not_before) FROM evaluations INDEXED BY evaluations_waiting"
                " WHERE state = 'queued' AND ready = 0"
            ).fetchone()[0]
        )

    async def why_waiting(
        self,
        evaluation_id: str,
        now: float,
        *,
        free_cpus: float = math.inf,
        free_memory: float = math.inf,
        held_engines: frozenset[str] = frozenset(),
    ) -> Waiting:
        """What keeps a queued evaluation from being claimed, the first cause of several.

        What is free, and held, is only known where the queue is run; by default nothing lacks.
        Raises ``EvaluationNotFound``.
        """
        claimant = Claimant(now, free_cpus, free_memory, held_engines)
        return await self._read(lambda conn: why_waiting(conn, evaluation_id, claimant))

    async def queue_state(self) -> QueueState:
        return await self._read(read_queue_state)

    async def set_paused(self, paused: bool, now: float) -> None:
        """Stops or resumes the claiming of evaluations; those that run go on."""

        def work(conn: Connection) -> None:
            if read_queue_state(conn).paused != paused:
                _set_meta(conn, "paused", str(int(paused)))
                add_event(conn, "queue.paused" if paused else "queue.resumed", now)

        await self._write(work)

    async def holding(self) -> str:
        """What the process that runs the queue last said keeps it from claiming; may be empty."""
        return await self._read(_holding)

    async def set_holding(self, reason: str) -> None:
        """Tells other processes what keeps this one from claiming; empty where nothing does."""

        def work(conn: Connection) -> None:
            if _holding(conn) != reason:
                _set_meta(conn, "holding", reason)

        await self._write(work)

    async def set_slots(self, slots: int, now: float) -> None:
        """Sets how many evaluations may run at once."""
        if slots < 1:
            raise InvalidInput(
                f"slots: {slots} is out of range",
                hint="give at least 1; to run nothing, pause the queue",
                field="slots",
            )

        def work(conn: Connection) -> None:
            if read_queue_state(conn).slots != slots:
                _set_meta(conn, "slots", str(slots))
                add_event(conn, "queue.resized", now, data={"slots": slots})

        await self._write(work)


def _claim(
    conn: Connection,
    *,
    limit: int,
    now: float,
    free_cpus: float,
    free_memory: int,
    held: str,
    query: str,
) -> list[Evaluation]:
    if limit < 1 or read_queue_state(conn).paused:
        return []
    conn.execute(
        "UPDATE evaluations INDEXED BY evaluations_waiting SET ready = 1"
        " WHERE state = 'queued' AND ready = 0 AND not_before <= ?",
        (now,),
    )
    claimed: list[Evaluation] = []
    while len(claimed) < limit:
        values = {
            "now": now,
            "cpus": free_cpus + CPU_SLACK,
            "memory": free_memory,
            "held": held,
        }
        rows = conn.execute(query, values).fetchall()
        if not rows:
            break
        evaluation = evaluation_from(rows[0])
        _begin_attempt(conn, evaluation, now)
        claimed.append(evaluation)
        free_cpus -= evaluation.spec.limits.cpus
        free_memory -= evaluation.spec.limits.memory
    return claimed


def _begin_attempt(conn: Connection, evaluation: Evaluation, now: float) -> None:
    conn.execute(
        "INSERT INTO attempts (evaluation_id, number, claimed_at, engine) VALUES (?, ?, ?, ?)",
        (evaluation.id, evaluation.attempts, now, evaluation.spec.engine),
    )
    add_event(
        conn,
        "evaluation.starting",
        now,
        evaluation_id=evaluation.id,
        attempt=evaluation.attempts,
        batch=evaluation.spec.batch,
    )


def _give_back(claimed: Sequence[Evaluation], *, now: float) -> Callable[[Connection], None]:
    def work(conn: Connection) -> None:
        for evaluation in claimed:
            # The number may be given again: nobody has learnt of this attempt.
            fence = (evaluation.id, evaluation.attempts)
            row = conn.execute(
                "UPDATE evaluations SET attempts = attempts - 1, ready = NOT cancel_requested,"
                " state = iif(cancel_requested, 'cancelled', 'queued'),"
                " outcome = iif(cancel_requested, 'cancelled', outcome),"
                " finished_at = iif(cancel_requested, updated_at, NULL)"
                " WHERE id = ? AND attempts = ? AND state = 'starting' RETURNING state",
                fence,
            ).fetchall()
            if row:
                conn.execute("DELETE FROM attempts WHERE evaluation_id = ? AND number = ?", fence)
                add_event(
                    conn,
                    f"evaluation.{row[0][0]}",
                    now,
                    evaluation_id=evaluation.id,
                    batch=evaluation.spec.batch,
                    data={"reason": "the claim was given back"},
                )

    return work


def _holding(conn: Connection) -> str:
    row = conn.execute("SELECT value FROM meta WHERE key = 'holding'").fetchone()
    return str(row[0]) if row else ""


def _set_meta(conn: Connection, key: str, value: str) -> None:
    conn.execute(
        "INSERT INTO meta VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value",
        (key, value),
    )
