"""The life of an attempt. Its number is a fence: what comes late changes nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from evalbox.domain.attempt import Attempt, Usage, Verdict
from evalbox.domain.evaluation import Evaluation
from evalbox.domain.records import ArtifactRecord
from evalbox.domain.state import ACTIVE, FINAL, State, check_transition
from evalbox.store.access import Access
from evalbox.store.catalogue import add_artifacts
from evalbox.store.codec import encode_score
from evalbox.store.events import add_event
from evalbox.store.rows import ATTEMPT, EVALUATION, attempt_from, evaluation_from, usage_values
from evalbox.store.sqlite import Connection

#: The event of a phase of the task's own.
PHASE = "evaluation.phase"


class Attempts(Access):
    async def mark_running(
        self,
        evaluation_id: str,
        attempt: int,
        now: float,
        *,
        sandbox_id: str,
        image_digest: str | None,
        warm: bool,
    ) -> bool:
        """Records the sandbox of an attempt that is about to be launched.

        False, and nothing changed, where the attempt is not the current one any more or is to be
        cancelled. Said again while it runs, it only replaces what is known of the sandbox.
        """

        def work(conn: Connection) -> bool:
            current = _current(conn, evaluation_id, attempt)
            if current is None or current.cancel_requested:
                return False
            if current.state is not State.RUNNING:
                current.tell(conn, State.RUNNING, now)
                conn.execute(
                    "UPDATE evaluations SET state = 'running', started_at = ?, updated_at = ?"
                    " WHERE id = ?",
                    (now, now, evaluation_id),
                )
                _start_batch(conn, current.batch, now)
            conn.execute(
                "UPDATE attempts SET sandbox_id = ?, image_digest = ?, warm = ?,"
                " started_at = coalesce(started_at, ?) WHERE evaluation_id = ? AND number = ?",
                (sandbox_id, image_digest, int(warm), now, evaluation_id, attempt),
            )
            return True

        return await self._write(work)

    async def mark_scoring(self, evaluation_id: str, attempt: int, now: float) -> bool:
        """The attempt is being scored. False, and nothing changed, where it is not current."""

        def work(conn: Connection) -> bool:
            current = _current(conn, evaluation_id, attempt)
            if current is None or current.cancel_requested:
                return False
            _enter_scoring(conn, current, now)
            return True

        return await self._write(work)

    async def mark_phase(
        self, evaluation_id: str, attempt: int, now: float, phase: str, *, scoring: bool
    ) -> bool:
        """The task has come to a phase of its own, and with ``scoring`` is being scored from it on.

        False, and nothing changed, where the attempt is not current.
        """

        def work(conn: Connection) -> bool:
            current = _current(conn, evaluation_id, attempt)
            if current is None or current.cancel_requested:
                return False
            add_event(
                conn,
                PHASE,
                now,
                evaluation_id=evaluation_id,
                attempt=attempt,
                batch=current.batch,
                data={"phase": phase},
            )
            if scoring:
                _enter_scoring(conn, current, now)
            return True

        return await self._write(work)

    async def phases(self, evaluation_id: str, attempt: int) -> list[tuple[str, float]]:
        """The phases that an attempt has come to, each with its time, the first one first."""
        query = (
            "SELECT json_extract(data, '$.phase'), at FROM events"
            " WHERE evaluation_id = ? AND attempt = ? AND kind = ? ORDER BY seq"
        )
        key = (evaluation_id, attempt, PHASE)
        rows = await self._read(lambda conn: conn.execute(query, key).fetchall())
        return [(str(row[0]), row[1]) for row in rows]

    async def finish(
        self,
        evaluation_id: str,
        attempt: int,
        now: float,
        *,
        verdict: Verdict,
        usage: Usage,
        state: State,
        not_before: float | None = None,
        output_bytes: int = 0,
        truncated: bool = False,
        first_output_at: float | None = None,
        failures: int,
        infra_failures: int,
        artifacts: Sequence[ArtifactRecord] = (),
    ) -> bool:
        """Ends an attempt and moves its evaluation to ``state``: a final one, or ``queued`` to be
        tried again, not before ``not_before``.

        An evaluation that is to be cancelled is not queued again but ends as cancelled. False, and
        nothing changed, where the attempt is not the current one any more. ``failures`` and
        ``infra_failures`` are the evaluation's new counts. Raises ``InvalidTransition``.
        """

        score = verdict.score

        def work(conn: Connection) -> bool:
            current = _current(conn, evaluation_id, attempt)
            if current is None:
                return False
            end = state
            if state is State.QUEUED and current.cancel_requested:
                end = State.CANCELLED
            current.tell(conn, end, now, verdict)
            spent = _seconds(conn, evaluation_id, attempt, now)
            conn.execute(
                "UPDATE evaluations SET state = ?, ready = ?, not_before = ?, updated_at = ?,"
                " finished_at = ?, outcome = ?, exit_code = ?, reason = ?, error = ?,"
                " score_kind = ?, score = ?, score_reason = ?, spent = spent + ?,"
                " respent = respent + ?, failures = ?, infra_failures = ? WHERE id = ?",
                (
                    end,
                    int(end is State.QUEUED and (not_before is None or not_before <= now)),
                    not_before if end is State.QUEUED else None,
                    now,
                    now if end in FINAL else None,
                    verdict.outcome,
                    verdict.exit_code,
                    verdict.reason,
                    verdict.error,
                    score.kind if score else None,
                    score.value if score else None,
                    score.reason if score else "",
                    spent,
                    spent if end is State.QUEUED else 0.0,
                    failures,
                    infra_failures,
                    evaluation_id,
                ),
            )
            conn.execute(
                "UPDATE attempts SET finished_at = ?, outcome = ?, exit_code = ?, signal = ?,"
                " reason = ?, oom_killed = ?, output_bytes = ?, truncated = ?,"
                " first_output_at = ?, cpu_seconds = ?, memory = ?, memory_peak = ?, pids = ?,"
                " disk = ?, read_bytes = ?, written_bytes = ?, error = ?, score = ?"
                " WHERE evaluation_id = ? AND number = ?",
                (
                    now,
                    verdict.outcome,
                    verdict.exit_code,
                    verdict.signal,
                    verdict.reason,
                    int(verdict.oom_killed),
                    output_bytes,
                    int(truncated),
                    first_output_at,
                    *usage_values(usage),
                    verdict.error,
                    encode_score(score) if score else None,
                    evaluation_id,
                    attempt,
                ),
            )
            add_artifacts(conn, evaluation_id, attempt, artifacts)
            return True

        return await self._write(work)

    async def attempts(self, evaluation_id: str) -> list[Attempt]:
        """All attempts of an evaluation, the first one first."""
        query = f"SELECT {ATTEMPT} FROM attempts WHERE evaluation_id = ? ORDER BY number"
        rows = await self._read(lambda conn: conn.execute(query, (evaluation_id,)).fetchall())
        return [attempt_from(row) for row in rows]

    async def cancel_requests(self) -> list[str]:
        """The ids of those under way that are to be cancelled."""
        query = (
            "SELECT id FROM evaluations"
            " WHERE state IN ('starting', 'running', 'scoring') AND cancel_requested = 1"
        )
        rows = await self._read(lambda conn: conn.execute(query).fetchall())
        return [row[0] for row in rows]

    async def active(self) -> list[tuple[Evaluation, Attempt]]:
        """The evaluations that are under way, each with its current attempt."""
        return await self._read(_active)


@dataclass(slots=True)
class _Current:
    """The evaluation whose current attempt is being spoken of."""

    evaluation_id: str
    attempt: int
    state: State
    cancel_requested: bool
    batch: str | None

    def tell(
        self, conn: Connection, state: State, now: float, verdict: Verdict | None = None
    ) -> None:
        """Adds the event of a change of state. Raises ``InvalidTransition``."""
        check_transition(self.state, state)
        data: dict[str, object] = {}
        if verdict is not None:
            data["outcome"] = verdict.outcome
            data["exit_code"] = verdict.exit_code
            data["reason"] = verdict.reason
            if verdict.error:
                data["error"] = verdict.error
            if verdict.score is not None:
                data["score"] = {"kind": verdict.score.kind, "value": verdict.score.value}
        add_event(
            conn,
            f"evaluation.{state}",
            now,
            evaluation_id=self.evaluation_id,
            attempt=self.attempt,
            batch=self.batch,
            data=data,
        )


def _enter_scoring(conn: Connection, current: _Current, now: float) -> None:
    if current.state is not State.SCORING:
        current.tell(conn, State.SCORING, now)
        conn.execute(
            "UPDATE evaluations SET state = 'scoring', updated_at = ? WHERE id = ?",
            (now, current.evaluation_id),
        )


def _start_batch(conn: Connection, name: str | None, now: float) -> None:
    if name is not None:
        conn.execute(
            "UPDATE batches SET started_at = ? WHERE name = ? AND started_at IS NULL", (now, name)
        )


def _seconds(conn: Connection, evaluation_id: str, attempt: int, now: float) -> float:
    """How long an attempt that ends now has run."""
    row = conn.execute(
        "SELECT started_at FROM attempts WHERE evaluation_id = ? AND number = ?",
        (evaluation_id, attempt),
    ).fetchone()
    return 0.0 if row[0] is None else max(0.0, now - row[0])


def _current(conn: Connection, evaluation_id: str, attempt: int) -> _Current | None:
    row = conn.execute(
        "SELECT state, cancel_requested, batch FROM evaluations WHERE id = ? AND attempts = ?",
        (evaluation_id, attempt),
    ).fetchone()
    if row is None:
        return None
    state = State(row[0])
    if state not in ACTIVE:
        return None
    return _Current(evaluation_id, attempt, state, bool(row[1]), row[2])


def _active(conn: Connection) -> list[tuple[Evaluation, Attempt]]:
    evaluations = [
        evaluation_from(row)
        for row in conn.execute(
            f"SELECT {EVALUATION} FROM evaluations"
            " WHERE state IN ('starting', 'running', 'scoring') ORDER BY id"
        )
    ]
    query = f"SELECT {ATTEMPT} FROM attempts WHERE evaluation_id = ? AND number = ?"
    return [
        (
            evaluation,
            attempt_from(conn.execute(query, (evaluation.id, evaluation.attempts)).fetchone()),
        )
        for evaluation in evaluations
    ]
