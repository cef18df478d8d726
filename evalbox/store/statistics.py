"""Figures about the whole box, for those who watch it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from evalbox.domain.sandbox import SandboxState
from evalbox.domain.state import State
from evalbox.store.access import Access
from evalbox.store.sqlite import Connection
from evalbox.telemetry.metrics import Reading

#: Entries of the log that are counted at a time, so that nobody else's reading waits for long.
_PAGE = 20_000
_TALLY = """
SELECT kind, coalesce(data ->> '$.outcome', ''), attempt IS NOT NULL, count(*), max(seq)
FROM (SELECT seq, kind, data, attempt FROM events WHERE seq > ? ORDER BY seq LIMIT ?)
GROUP BY 1, 2, 3
"""
#: Since when the heads of lanes wait: each is the oldest of its lane.
_WAITING_SINCE = """
SELECT min(max(evaluations.updated_at, coalesce(evaluations.not_before, 0)))
FROM lanes JOIN evaluations ON evaluations.id = lanes.head WHERE lanes.head IS NOT NULL
"""
_DELAYED = """
SELECT count(*) FROM evaluations INDEXED BY evaluations_waiting
WHERE state = 'queued' AND ready = 0
"""
_LIVE = (SandboxState.STARTING, SandboxState.RUNNING)


@dataclass(frozen=True, slots=True)
class Census:
    """What there is now. ``delayed`` of those queued wait for a time; ``waiting_since`` is when the
    first of the others fell due, None where there is none. ``keys`` are those in force,
    ``sandboxes`` those of the service by their state, ``deliveries`` the messages of webhooks that
    are still to be sent, ``alerts`` the keys of those that are raised.
    """

    states: Mapping[State, int]
    delayed: int
    waiting_since: float | None
    keys: int
    sandboxes: Mapping[SandboxState, int]
    deliveries: int
    alerts: Sequence[str]
    audit_entries: int
    database_bytes: int


@dataclass(frozen=True, slots=True)
class Happened:
    """How often something happened. ``outcome`` is empty where it was no ending."""

    kind: str
    outcome: str
    of_attempt: bool
    count: int


class Statistics(Access):
    def writing(self) -> list[Reading]:
        """How the writing goes; nothing where the store is only read."""
        return self._writer.readings() if self._writer is not None else []

    @property
    def failing(self) -> bool:
        """Whether nothing can be written, as the last try had it."""
        return self._writer is None or self._writer.failing

    async def census(self, now: float) -> Census:
        """Counts everything: of a long history that takes about 0.1 ms for each thousand."""
        return await self._read(lambda conn: _census(conn, now))

    async def tally(self, after: int) -> tuple[list[Happened], int]:
        """What the log tells beyond ``after``, counted, and up to which seq that is."""
        found: list[Happened] = []
        while True:
            rows = await self._read(
                lambda conn, after=after: conn.execute(  # type: ignore[misc]
                    _TALLY, (after, _PAGE)
                ).fetchall()
            )
            found += [Happened(row[0], row[1], bool(row[2]), row[3]) for row in rows]
            after = max((row[4] for row in rows), default=after)
            if sum(row[3] for row in rows) < _PAGE:
                return found, after


def _census(conn: Connection, now: float) -> Census:
    states = conn.execute("SELECT state, count(*) FROM evaluations GROUP BY state").fetchall()
    keys = conn.execute(
        "SELECT count(*) FROM keys WHERE revoked_at IS NULL AND coalesce(expires_at, ?1) >= ?1",
        (now,),
    ).fetchone()
    size = conn.execute(
        "SELECT page_count * page_size FROM pragma_page_count, pragma_page_size"
    ).fetchone()
    audit = conn.execute("SELECT seq FROM sqlite_sequence WHERE name = 'audit'").fetchone()
    sandboxes = conn.execute(
        "SELECT state, count(*) FROM sandboxes WHERE state != 'ended' GROUP BY state"
    ).fetchall()
    deliveries = conn.execute(
        "SELECT count(*) FROM deliveries INDEXED BY deliveries_due WHERE state = 'pending'"
    ).fetchone()
    alerts = conn.execute("SELECT key FROM alerts ORDER BY key").fetchall()
    return Census(
        states=dict.fromkeys(State, 0) | {State(state): count for state, count in states},
        delayed=conn.execute(_DELAYED).fetchone()[0],
        waiting_since=conn.execute(_WAITING_SINCE).fetchone()[0],
        keys=keys[0],
        sandboxes={state: dict(sandboxes).get(state, 0) for state in _LIVE},
        deliveries=deliveries[0],
        alerts=[row[0] for row in alerts],
        audit_entries=audit[0] if audit else 0,
        database_bytes=size[0],
    )
