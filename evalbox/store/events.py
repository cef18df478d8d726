"""The log of what happened, in the order of commits."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from evalbox.domain.event import Event
from evalbox.store.access import Access
from evalbox.store.changes import read_last_seq
from evalbox.store.rows import EVENT, event_from
from evalbox.store.sqlite import Connection

#: Made once: json.dumps would make one for each event.
_encode = json.JSONEncoder(separators=(",", ":")).encode


def add_event(
    conn: Connection,
    kind: str,
    at: float,
    *,
    evaluation_id: str | None = None,
    attempt: int | None = None,
    batch: str | None = None,
    data: Mapping[str, Any] | None = None,
) -> None:
    """Adds an entry to the log, in the transaction of what it tells of."""
    conn.execute(
        "INSERT INTO events (at, kind, evaluation_id, attempt, batch, data)"
        " VALUES (?, ?, ?, ?, ?, ?)",
        (at, kind, evaluation_id, attempt, batch, _encode(dict(data)) if data else "{}"),
    )


class Events(Access):
    async def events(
        self,
        after: int,
        *,
        limit: int = 1000,
        evaluation_id: str | None = None,
        batch: str | None = None,
    ) -> list[Event]:
        """The events with a seq beyond ``after``, oldest first, at most ``limit``."""
        where = ["seq > ?"]
        parameters: list[Any] = [after]
        if evaluation_id is not None:
            where.append("evaluation_id = ?")
            parameters.append(evaluation_id)
        if batch is not None:
            where.append("batch = ?")
            parameters.append(batch)
        parameters.append(limit)
        query = f"SELECT {EVENT} FROM events WHERE {' AND '.join(where)} ORDER BY seq LIMIT ?"
        rows = await self._read(lambda conn: conn.execute(query, parameters).fetchall())
        return [event_from(row) for row in rows]

    async def last_seq(self) -> int:
        """The newest event's seq, 0 where there is none."""
        return await self._read(read_last_seq)

    async def record(
        self,
        kind: str,
        now: float,
        data: Mapping[str, Any],
        evaluation_id: str | None = None,
        attempt: int | None = None,
    ) -> None:
        """Adds an event of the caller's own. ``data`` must be what JSON can hold."""

        def work(conn: Connection) -> None:
            row = conn.execute(
                "SELECT batch FROM evaluations WHERE id = ?", (evaluation_id,)
            ).fetchone()
            add_event(
                conn,
                kind,
                now,
                evaluation_id=evaluation_id,
                attempt=attempt,
                batch=row[0] if row else None,
                data=data,
            )

        await self._write(work)

    async def wait_for_change(self, last_seq: int, timeout: float) -> int:
        """The newest seq as soon as it is beyond ``last_seq``, or ``last_seq`` after ``timeout`` s.

        Sees events of this process at once, those of others within a tenth of a second.
        """
        return await self._changes.wait(last_seq, timeout)
