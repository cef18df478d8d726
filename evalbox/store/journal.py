"""One entry of the audit log in the transaction of what it tells of."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from typing import Any

from evalbox.domain.audit import GENESIS, OK, AuditEntry, canonical, entry_hash
from evalbox.store.sqlite import Connection


@dataclass(slots=True)
class Draft:
    """An entry to be written. ``name`` tells the target from what the change itself gave."""

    at: float
    actor: str
    source: str
    action: str
    target: str = ""
    request_id: str | None = None
    detail: Mapping[str, Any] = field(default_factory=dict)
    name: Callable[[Any], str] | None = None
    open: bool = True
    written: bool = False

    def entry(self, seq: int, previous: str, result: str, made: Any) -> AuditEntry:
        entry = AuditEntry(
            seq=seq,
            at=self.at,
            actor=self.actor,
            source=self.source,
            action=self.action,
            target=self.name(made) if self.name and made is not None else self.target,
            result=result,
            request_id=self.request_id,
            detail=self.detail,
            previous=previous,
        )
        return replace(entry, hash=entry_hash(entry))


_pending: ContextVar[Draft | None] = ContextVar("audit draft", default=None)


@contextmanager
def pending(draft: Draft) -> Iterator[None]:
    """The next change of this context takes ``draft`` into its transaction."""
    token = _pending.set(draft)
    try:
        yield
    finally:
        _pending.reset(token)
        # Tasks begun meanwhile have the draft too, and it is not theirs.
        draft.open = False


def waiting_draft() -> Draft | None:
    """The draft that the next change has to take along, if there is one."""
    draft = _pending.get()
    return draft if draft is not None and draft.open and not draft.written else None


def append(conn: Connection, draft: Draft, result: str = OK, made: Any = None) -> None:
    """Adds an entry behind the newest."""
    row = conn.execute("SELECT seq, hash FROM audit ORDER BY seq DESC LIMIT 1").fetchone()
    seq, previous = row or (0, GENESIS)
    # Not beyond what is there: where the end was cut off, a gap must remain to be seen.
    given = conn.execute("SELECT seq FROM sqlite_sequence WHERE name = 'audit'").fetchone()
    entry = draft.entry(max(seq, given[0] if given else 0) + 1, previous, result, made)
    conn.execute(
        "INSERT INTO audit VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            entry.seq,
            entry.at,
            entry.actor,
            entry.source,
            entry.action,
            entry.target,
            entry.result,
            entry.request_id,
            canonical(dict(entry.detail)),
            entry.previous,
            entry.hash,
        ),
    )
