"""What is planned for batches: whether they end early, and the step that reduces them."""

from __future__ import annotations

import json
from dataclasses import replace

from evalbox.domain.evaluation import EvaluationSpec
from evalbox.domain.reduction import BatchPlan, ReductionState
from evalbox.domain.state import FINAL
from evalbox.errors import InvalidInput
from evalbox.store.changes import read_last_seq
from evalbox.store.codec import decode_spec, encode_spec
from evalbox.store.events import add_event
from evalbox.store.sqlite import Connection
from evalbox.store.submission import Submission, add_batch, check_spec, check_text

_ENDED = ", ".join(f"'{state}'" for state in sorted(FINAL))
_PLANNED = """
SELECT name FROM batches WHERE fail_fast = 1
UNION SELECT batch FROM reductions WHERE state = 'waiting'
"""
_STIRRED = f"""
SELECT DISTINCT batch FROM events WHERE seq > ?
AND kind IN (
  'batch.planned', 'batch.finished', 'evaluation.failed', 'evaluation.dead', 'evaluation.removed'
)
AND batch IN ({_PLANNED}) ORDER BY batch
"""
_WAITING = "SELECT spec, env FROM reductions WHERE batch = ? AND state = 'waiting'"
_UNFINISHED = f"SELECT 1 FROM evaluations WHERE batch = ? AND state NOT IN ({_ENDED}) LIMIT 1"


class Reductions(Submission):
    async def plan_batch(self, name: str, plan: BatchPlan, now: float) -> None:
        """Sets what is planned for a batch, in place of what was; creates it if need be.

        Raises as ``submit`` does.
        """
        check_text(name, "batch")
        if not name:
            raise InvalidInput("batch: the name is empty", field="batch")
        if plan.reduce is not None:
            check_spec(plan.reduce)

        def work(conn: Connection) -> None:
            add_batch(conn, name, now)
            conn.execute(
                "UPDATE batches SET fail_fast = ? WHERE name = ?", (int(plan.fail_fast), name)
            )
            conn.execute("DELETE FROM reductions WHERE batch = ?", (name,))
            if plan.reduce is not None:
                self._plan_reduction(conn, name, plan.reduce)
            data = {"fail_fast": plan.fail_fast, "reduce": plan.reduce and plan.reduce.name}
            add_event(conn, "batch.planned", now, batch=name, data={"batch": name, **data})

        await self._write(work)

    def _plan_reduction(self, conn: Connection, name: str, spec: EvaluationSpec) -> None:
        self.check_there(spec.files())
        env = self.vault.seal(json.dumps(dict(spec.env)).encode(), _context(name))
        conn.execute(
            "INSERT INTO reductions (batch, spec, env, state) VALUES (?, ?, ?, 'waiting')",
            (name, encode_spec(spec), env if spec.env else None),
        )
        conn.executemany(
            "INSERT INTO reduction_inputs VALUES (?, ?)",
            [(name, blob) for blob in {file.blob for file in spec.files()}],
        )

    async def planned(self) -> list[str]:
        """The batches for which something is planned that has not come to its end."""
        rows = await self._read(lambda conn: conn.execute(_PLANNED).fetchall())
        return [name for (name,) in rows]

    async def stirred(self, after: int) -> list[str]:
        """Those of them in which something happened beyond the seq ``after`` that may matter."""
        rows = await self._read(lambda conn: conn.execute(_STIRRED, (after,)).fetchall())
        return [name for (name,) in rows]

    async def fails_fast(self, name: str) -> bool:
        query = "SELECT 1 FROM batches WHERE name = ? AND fail_fast = 1"
        return await self._read(lambda conn: conn.execute(query, (name,)).fetchone() is not None)

    async def due_reduction(self, name: str) -> tuple[EvaluationSpec, int] | None:
        """The step that waits, and the newest seq; None where it does not, or others go on."""

        def work(conn: Connection) -> tuple[EvaluationSpec, int] | None:
            row = conn.execute(_WAITING, (name,)).fetchone()
            if row is None or conn.execute(_UNFINISHED, (name,)).fetchone():
                return None
            spec, sealed = decode_spec(row[0]), row[1]
            if sealed is not None:
                env = json.loads(self.vault.open(bytes(sealed), _context(name)))
                spec = replace(spec, env=env)
            return spec, read_last_seq(conn)

        return await self._read(work)

    async def keyed(self, key: str) -> str | None:
        """The id of the evaluation with an idempotency key."""
        query = "SELECT id FROM evaluations WHERE idempotency_key = ?"
        row = await self._read(lambda conn: conn.execute(query, (key,)).fetchone())
        return None if row is None else str(row[0])

    async def make_reduction(
        self, name: str, spec: EvaluationSpec, since: int, now: float
    ) -> str | None:
        """Queues the step that waits, once, and gives its id: that of an earlier one by its key.

        None where anything happened in the batch beyond the seq ``since``: look at it again.
        """
        check_spec(spec)
        body = encode_spec(spec)

        def work(conn: Connection) -> str | None:
            stirred = conn.execute(
                "SELECT 1 FROM events WHERE seq > ? AND batch = ? LIMIT 1", (since, name)
            ).fetchone()
            if stirred or not conn.execute(_WAITING, (name,)).fetchone():
                return None
            self.check_there(spec.files())
            earlier = conn.execute(
                "SELECT id FROM evaluations WHERE idempotency_key = ?", (spec.idempotency_key,)
            ).fetchone()
            made: str = earlier[0] if earlier else self._insert(conn, spec, body, now, {}).id
            _settle(conn, name, ReductionState.MADE, now, evaluation_id=made)
            return made

        return await self._write(work)

    async def refuse_reduction(self, name: str, reason: str, now: float) -> None:
        """The step that waits cannot be made."""
        await self._write(
            lambda conn: _settle(conn, name, ReductionState.REFUSED, now, reason=reason)
        )


def _settle(
    conn: Connection,
    name: str,
    state: ReductionState,
    now: float,
    *,
    evaluation_id: str | None = None,
    reason: str = "",
) -> None:
    done = conn.execute(
        "UPDATE reductions SET state = ?, evaluation_id = ?, reason = ?, env = NULL"
        " WHERE batch = ? AND state = 'waiting'",
        (state, evaluation_id, reason, name),
    )
    if done.rowcount:
        conn.execute("DELETE FROM reduction_inputs WHERE batch = ?", (name,))
        data = {"batch": name, "state": state, "evaluation": evaluation_id, "reason": reason}
        add_event(conn, "batch.reduced", now, batch=name, data=data)


def _context(name: str) -> str:
    return f"environment of the reduce step of {name}"
