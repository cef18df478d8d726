"""Reading the audit log, and looking through all of it."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

from evalbox.domain.audit import (
    OK,
    PRUNE,
    UNPRUNED,
    AuditEntry,
    AuditReport,
    Chain,
    Pruned,
    canonical,
)
from evalbox.store.access import Access
from evalbox.store.journal import Draft, append
from evalbox.store.rows import Row
from evalbox.store.sqlite import Connection

_COLUMNS = """
    seq, at, actor, source, action, target, result, request_id, detail, previous, hash
"""
_PAGE = 1000
_GUARD = "audit_is_not_deleted"
#: What a detail that is not the canonical text of a value is read as: no entry's hash fits it.
_FORGED = {"": "forged"}


class AuditLog(Access):
    async def append_audit(self, draft: Draft, result: str) -> None:
        """Adds an entry that belongs to no change, such as one that failed."""
        await self._write(lambda conn: append(conn, draft, result))

    async def audit_entries(self, after: int, *, limit: int) -> list[AuditEntry]:
        """The entries with a seq beyond ``after``, the oldest first."""
        return await self._read(lambda conn: _page(conn, after, limit))

    async def newest_audit_entries(self, limit: int) -> list[AuditEntry]:
        """The newest entries, the oldest of them first."""
        query = f"SELECT {_COLUMNS} FROM audit ORDER BY seq DESC LIMIT ?"
        rows = await self._read(lambda conn: conn.execute(query, (limit,)).fetchall())
        return [_entry(row) for row in reversed(rows)]

    async def prune_audit(self, before: float, draft: Draft) -> Pruned:
        """Removes the oldest entries, up to the first that is not from before that moment.

        The newest stays: the next one has to follow it. ``draft``, which this change takes along,
        is the entry that tells of it.
        """

        def work(conn: Connection) -> Pruned:
            pruned = _prune(conn, before)
            draft.detail = {"before": before, **asdict(pruned)}
            return pruned

        return await self._write(work)

    async def oldest_audit_entry(self) -> float | None:
        """When the oldest that could be pruned was written, in seconds since 1970."""
        query = "SELECT at FROM audit WHERE seq < (SELECT max(seq) FROM audit) ORDER BY seq LIMIT 1"
        row = await self._read(lambda conn: conn.execute(query).fetchone())
        return None if row is None else float(row[0])

    async def verify_audit(self, expect: str | None = None) -> AuditReport:
        """Looks through the whole log, in pages. ``expect`` is a hash that must be in it."""
        while True:
            base = await self._read(_base)
            report = await self._followed(Chain(expect, base))
            # Else it was pruned meanwhile.
            if report.sound or await self._read(_base) == base:
                return report

    async def _followed(self, chain: Chain) -> AuditReport:
        after = 0
        while True:
            start = after
            page, given = await self._read(
                lambda conn, start=start: _follow(conn, chain, start)  # type: ignore[misc]
            )
            if page == 0 or chain.broken:
                return chain.report(given)
            after = page


def _prune(conn: Connection, before: float) -> Pruned:
    oldest = conn.execute("SELECT seq, previous FROM audit ORDER BY seq LIMIT 1").fetchone()
    if oldest is None:
        return UNPRUNED
    kept = conn.execute(
        "SELECT seq, previous FROM audit WHERE at >= ? OR seq = (SELECT max(seq) FROM audit)"
        " ORDER BY seq LIMIT 1",
        (before,),
    ).fetchone()
    if kept != oldest:
        _delete(conn, kept[0])
    return Pruned(kept[0] - oldest[0], kept[0] - 1, kept[1])


def _delete(conn: Connection, below: int) -> None:
    """The trigger that keeps entries from being deleted is away within the transaction only."""
    guard = conn.execute("SELECT sql FROM sqlite_schema WHERE name = ?", (_GUARD,)).fetchone()
    conn.execute(f"DROP TRIGGER IF EXISTS {_GUARD}")
    conn.execute("DELETE FROM audit WHERE seq < ?", (below,))
    if guard:
        conn.execute(guard[0])


def _base(conn: Connection) -> Pruned:
    """The last pruning that the log tells of."""
    row = conn.execute(
        "SELECT detail FROM audit WHERE action = ? AND result = ? ORDER BY seq DESC LIMIT 1",
        (PRUNE, OK),
    ).fetchone()
    told = _detail(row[0]) if row else {}
    match told:
        case {"removed": int(removed), "through": int(through), "head": str(head)}:
            return Pruned(removed, through, head)
    return UNPRUNED


def _follow(conn: Connection, chain: Chain, after: int) -> tuple[int, int]:
    """The last seq of the next page, 0 at the end; and the newest seq that was ever given."""
    page = _page(conn, after, _PAGE)
    chain.follow(page)
    given = conn.execute("SELECT seq FROM sqlite_sequence WHERE name = 'audit'").fetchone()
    return (page[-1].seq if page else 0), (given[0] if given else 0)


def _page(conn: Connection, after: int, limit: int) -> list[AuditEntry]:
    query = f"SELECT {_COLUMNS} FROM audit WHERE seq > ? ORDER BY seq LIMIT ?"
    return [_entry(row) for row in conn.execute(query, (after, limit))]


def _entry(row: Row) -> AuditEntry:
    seq, at, actor, source, action, target, result, request_id, detail, previous, own = row
    return AuditEntry(
        seq, at, actor, source, action, target, result, request_id, _detail(detail), previous, own
    )


def _detail(text: str) -> dict[str, Any]:
    try:
        found: dict[str, Any] = json.loads(text)
    except ValueError:
        return _FORGED
    return found if isinstance(found, dict) and canonical(found) == text else _FORGED
