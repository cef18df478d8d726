"""Why a queued evaluation is not running."""

from __future__ import annotations

from dataclasses import dataclass

from evalbox.domain.quantity import format_size
from evalbox.domain.records import QueueState, Waiting
from evalbox.domain.state import State
from evalbox.errors import EvaluationNotFound
from evalbox.store.sqlite import Connection

#: Sums of binary fractions such as 0.1 must not keep the last core from being used.
CPU_SLACK = 1e-6

_WANTED = """
SELECT evaluations.id, state, evaluations.priority, not_before, evaluations.batch, lanes.engine,
       cpus, memory
FROM evaluations JOIN lanes ON lanes.id = lane WHERE evaluations.id = ?
"""

_AHEAD = """
SELECT count(*) FROM lanes JOIN evaluations ON evaluations.lane = lanes.id
WHERE lanes.head IS NOT NULL AND evaluations.ready = 1
  AND (lanes.priority < :priority OR (lanes.priority = :priority AND evaluations.id < :id))
"""


@dataclass(frozen=True, slots=True)
class Claimant:
    """What whoever claims has to give: cores and bytes that are free, engines that are held."""

    now: float
    free_cpus: float
    free_memory: float
    held_engines: frozenset[str]


@dataclass(frozen=True, slots=True)
class _Wanted:
    id: str
    state: str
    priority: int
    not_before: float | None
    batch: str | None
    engine: str
    cpus: float
    memory: int


def why_waiting(conn: Connection, evaluation_id: str, claimant: Claimant) -> Waiting:
    """The first of the causes that hold. Raises ``EvaluationNotFound``."""
    row = conn.execute(_WANTED, (evaluation_id,)).fetchone()
    if row is None:
        raise EvaluationNotFound(f"no evaluation {evaluation_id}")
    wanted = _Wanted(*row)
    if wanted.state != State.QUEUED:
        return Waiting("turn", detail=f"it is {wanted.state} by now")
    ahead = conn.execute(_AHEAD, {"priority": wanted.priority, "id": wanted.id}).fetchone()[0]
    cause, detail = _cause(conn, wanted, claimant)
    return Waiting(cause, ahead, detail)


def _cause(conn: Connection, wanted: _Wanted, claimant: Claimant) -> tuple[str, str]:
    if read_queue_state(conn).paused:
        return "paused", "the queue is paused"
    if wanted.not_before is not None and wanted.not_before > claimant.now:
        return "not_before", f"not before {wanted.not_before - claimant.now:.0f} s from now"
    limit, running = _load(conn, wanted.batch)
    if limit is not None and running >= limit:
        return "batch_limit", f"batch {wanted.batch} runs {running} of at most {limit} at once"
    if wanted.engine in claimant.held_engines:
        return "engine_held", f"the engine {wanted.engine} is held"
    if wanted.cpus > claimant.free_cpus + CPU_SLACK:
        return "resources", f"needs {wanted.cpus:g} cores, {claimant.free_cpus:g} are free"
    if wanted.memory > claimant.free_memory:
        free = format_size(claimant.free_memory)
        return "resources", f"needs {format_size(wanted.memory)} of memory, {free} are free"
    return "turn", "waits for its turn"


def _load(conn: Connection, batch: str | None) -> tuple[int | None, int]:
    """The limit of a batch, and how many of it are under way."""
    if batch is None:
        return None, 0
    limit = conn.execute("SELECT concurrency FROM batches WHERE name = ?", (batch,)).fetchone()
    running = conn.execute(
        "SELECT count(*) FROM evaluations"
        " WHERE batch = ? AND state IN ('starting', 'running', 'scoring')",
        (batch,),
    ).fetchone()
    return limit[0], running[0]


def read_queue_state(conn: Connection) -> QueueState:
    """What users have set for the whole queue."""
    values = dict(
        conn.execute("SELECT key, value FROM meta WHERE key IN ('paused', 'slots')").fetchall()
    )
    slots = values.get("slots")
    return QueueState(values.get("paused") == "1", None if slots is None else int(slots))
