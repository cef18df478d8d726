"""Reading the audit log, and looking through all of it."""

from __future__ import annotations

import json
from typing import Any

from evalbox.domain.audit import AuditEntry, AuditReport, Chain, canonical
from evalbox.store.access import Access
from evalbox.store.journal import Draft, append
from evalbox.store.rows import Row
from evalbox.store.sqlite import Connection

_COLUMNS = """
    seq, at, actor, source, action, target, result, request_id, detail, previous, hash
"""
_PAGE = 1000
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

    async def verify_audit(self, expect: str | None = None) -> AuditReport:
        """Looks through the whole log, in pages. ``expect`` is a hash that must be in it."""
        chain = Chain(expect)
        after = 0
        while True:
            start = after
            page, given = await self._read(
                lambda conn, start=start: _follow(conn, chain, start)  # type: ignore[misc]
            )
            if page == 0 or chain.broken:
                return chain.report(given)
            after = page


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
