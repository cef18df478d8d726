"""The queue: what is claimed next, and why something is not."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from evalbox.domain.evaluation import Evaluation
from evalbox.domain.state import State
from evalbox.errors import EvaluationNotFound, InvalidInput
from evalbox.store.access import Access
from evalbox.store.events import add_event
from evalbox.store.rows import EVALUATION, evaluation_from
from evalbox.store.sqlite import Connection

#: Sums of binary fractions such as 0.1 must not keep the last core from being used.
_CPU_SLACK = 1e-6

#: Walks the heads of the lanes in order and takes the first that fits. What runs in a batch is
#: counted anew each time: a counter beside it could go wrong.
_CLAIM = f"""
UPDATE evaluations
SET state = 'starting', ready = 0, attempts = attempts + 1, updated_at = :now, not_before = NULL,
    started_at = NULL, finished_at = NULL
WHERE id = (
  SELECT head FROM lanes
  WHERE head IS NOT NULL AND cpus <= :cpus AND memory <= :memory
    AND NOT EXISTS (SELECT 1 FROM json_each(:held) WHERE value = lanes.engine)
    AND (batch = '' OR coalesce(
      (SELECT concurrency FROM batches WHERE name = lanes.batch) > (
        SELECT count(*) FROM evaluations
        WHERE batch = lanes.batch AND state IN ('starting', 'running', 'scoring')
      ), 1))
  ORDER BY priority, head LIMIT 1
)
RETURNING {EVALUATION}
"""

_AHEAD = """
SELECT count(*) FROM lanes JOIN evaluations ON evaluations.lane = lanes.id
WHERE lanes.head IS NOT NULL AND evaluations.ready = 1
  AND (lanes.priority < :priority OR (lanes.priority = :priority AND evaluations.id < :id))
"""


@dataclass(frozen=True, slots=True)
class QueueState:
    """``slots`` is how many may run at once, None where nobody has said."""

    paused: bool
    slots: int | None


@dataclass(frozen=True, slots=True)
class Waiting:
    """Why a queued evaluation has not been claimed; all that holds is told.

    ``ahead`` counts the ready ones that come before it. ``not_before`` is set while it lies in the
    future. ``batch_limit`` is set where ``batch_running`` has reached it. ``short_of`` names what
    is not free: ``cpus``, ``memory``. ``held`` names its engine where that is held.
    """

    state: State
    paused: bool = False
    ahead: int = 0
    not_before: float | None = None
    batch_limit: int | None = None
    batch_running: int = 0
    short_of: tuple[str, ...] = ()
    held: str | None = None


class Queue(Access):
    async def claim(
        self,
        limit: int,
        now: float,
        *,
        free_cpus: float,
        free_memory: int,
        held_engines: frozenset[str] = frozenset(),
    ) -> list[Evaluation]:
        """Begins an attempt of up to ``limit`` evaluations and returns them, state ``starting``.

        By priority, then age, passing over what does not fit into ``free_cpus`` and
        ``free_memory`` (bytes), whose engine is held or whose batch is at its limit. Empty while
        the queue is paused. When the awaiting task is cancelled, what was claimed is given back.
        """
        work = partial(
            _claim,
            limit=limit,
            now=now,
            free_cpus=free_cpus,
            free_memory=free_memory,
            held=json.dumps(sorted(held_engines)),
        )
        return await self._write(work, undo=partial(_give_back, now=now))

    async def next_due(self, now: float) -> float | None:
        """When the next of those that wait for a time is due, None where none does."""
        return await self._read(
            lambda conn: conn.execute(
                "SELECT min(not_before) FROM evaluations WHERE state = 'queued' AND ready = 0"
            ).fetchone()[0]
        )

    async def why_waiting(
        self,
        evaluation_id: str,
        now: float,
        *,
        free_cpus: float,
        free_memory: int,
        held_engines: frozenset[str] = frozenset(),
    ) -> Waiting:
        """What keeps an evaluation from being claimed. Raises ``EvaluationNotFound``."""
        work = partial(
            _why_waiting,
            evaluation_id=evaluation_id,
            now=now,
            free_cpus=free_cpus,
            free_memory=free_memory,
            held_engines=held_engines,
        )
        return await self._read(work)

    async def queue_state(self) -> QueueState:
        return await self._read(_queue_state)

    async def set_paused(self, paused: bool, now: float) -> None:
        """Stops or resumes the claiming of evaluations; those that run go on."""

        def work(conn: Connection) -> None:
            if _queue_state(conn).paused != paused:
                _set_meta(conn, "paused", str(int(paused)))
                add_event(conn, "queue.paused" if paused else "queue.resumed", now)

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
            if _queue_state(conn).slots != slots:
                _set_meta(conn, "slots", str(slots))
                add_event(conn, "queue.resized", now, data={"slots": slots})

        await self._write(work)


def _claim(
    conn: Connection, *, limit: int, now: float, free_cpus: float, free_memory: int, held: str
) -> list[Evaluation]:
    if limit < 1 or _queue_state(conn).paused:
        return []
    conn.execute(
        "UPDATE evaluations SET ready = 1"
        " WHERE state = 'queued' AND ready = 0 AND not_before <= ?",
        (now,),
    )
    claimed: list[Evaluation] = []
    while len(claimed) < limit:
        values = {
            "now": now,
            "cpus": free_cpus + _CPU_SLACK,
            "memory": free_memory,
            "held": held,
        }
        rows = conn.execute(_CLAIM, values).fetchall()
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


def _queue_state(conn: Connection) -> QueueState:
    values = dict(
        conn.execute("SELECT key, value FROM meta WHERE key IN ('paused', 'slots')").fetchall()
    )
    slots = values.get("slots")
    return QueueState(values.get("paused") == "1", None if slots is None else int(slots))


def _set_meta(conn: Connection, key: str, value: str) -> None:
    conn.execute(
        "INSERT INTO meta VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value",
        (key, value),
    )


def _why_waiting(
    conn: Connection,
    *,
    evaluation_id: str,
    now: float,
    free_cpus: float,
    free_memory: int,
    held_engines: frozenset[str],
) -> Waiting:
    row = conn.execute(
        "SELECT evaluations.state, evaluations.priority, not_before, evaluations.batch,"
        " lanes.engine, cpus, memory"
        " FROM evaluations JOIN lanes ON lanes.id = lane WHERE evaluations.id = ?",
        (evaluation_id,),
    ).fetchone()
    if row is None:
        raise EvaluationNotFound(f"no evaluation {evaluation_id}")
    state, priority, not_before, batch, engine, cpus, memory = row
    if state != State.QUEUED:
        return Waiting(State(state))
    concurrency, running = _batch_load(conn, batch)
    needs = (("cpus", cpus > free_cpus + _CPU_SLACK), ("memory", memory > free_memory))
    return Waiting(
        state=State.QUEUED,
        paused=_queue_state(conn).paused,
        ahead=conn.execute(_AHEAD, {"priority": priority, "id": evaluation_id}).fetchone()[0],
        not_before=not_before if not_before is not None and not_before > now else None,
        batch_limit=concurrency if concurrency is not None and running >= concurrency else None,
        batch_running=running,
        short_of=tuple(name for name, short in needs if short),
        held=engine if engine in held_engines else None,
    )


def _batch_load(conn: Connection, batch: str | None) -> tuple[int | None, int]:
    if batch is None:
        return None, 0
    limit = conn.execute("SELECT concurrency FROM batches WHERE name = ?", (batch,)).fetchone()
    running = conn.execute(
        "SELECT count(*) FROM evaluations"
        " WHERE batch = ? AND state IN ('starting', 'running', 'scoring')",
        (batch,),
    ).fetchone()
    return limit[0], running[0]
