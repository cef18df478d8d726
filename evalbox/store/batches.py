"""Named groups of evaluations."""

from __future__ import annotations

from collections.abc import Sequence

from evalbox.domain.batch import Batch
from evalbox.domain.outcome import Outcome
from evalbox.domain.state import State
from evalbox.errors import BatchNotFound, InvalidInput
from evalbox.store.access import Access
from evalbox.store.events import add_event
from evalbox.store.sqlite import Connection
from evalbox.store.submission import add_batch, check_text


class Batches(Access):
    async def batches(self) -> list[Batch]:
        """All batches, the newest first."""
        return await self._read(_all)

    async def batch(self, name: str) -> Batch:
        """Raises ``BatchNotFound``."""
        return await self._read(lambda conn: _one(conn, name))

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
            return _one(conn, name)

        return await self._write(work)


def _all(conn: Connection) -> list[Batch]:
    counts: dict[str, list[tuple[str, str | None, int]]] = {}
    for batch, *count in conn.execute(
        "SELECT batch, state, outcome, count(*) FROM evaluations WHERE batch IS NOT NULL"
        " GROUP BY batch, state, outcome"
    ):
        counts.setdefault(batch, []).append((count[0], count[1], count[2]))
    rows = conn.execute(
        "SELECT name, created_at, concurrency FROM batches ORDER BY created_at DESC, name"
    )
    return [_batch(row, counts.get(row[0], ())) for row in rows]


def _one(conn: Connection, name: str) -> Batch:
    row = conn.execute(
        "SELECT name, created_at, concurrency FROM batches WHERE name = ?", (name,)
    ).fetchone()
    if row is None:
        raise BatchNotFound(f"no batch {name!r}", hint="list them with: evalbox batch ls")
    counts = conn.execute(
        "SELECT state, outcome, count(*) FROM evaluations WHERE batch = ? GROUP BY state, outcome",
        (name,),
    ).fetchall()
    return _batch(row, counts)


def _batch(
    row: tuple[str, float, int | None], counts: Sequence[tuple[str, str | None, int]]
) -> Batch:
    name, created_at, concurrency = row
    states: dict[State, int] = {}
    outcomes: dict[Outcome, int] = {}
    for state, outcome, count in counts:
        states[State(state)] = states.get(State(state), 0) + count
        if outcome is not None:
            outcomes[Outcome(outcome)] = outcomes.get(Outcome(outcome), 0) + count
    return Batch(name, created_at, concurrency, states, outcomes)
