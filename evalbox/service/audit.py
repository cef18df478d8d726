"""The audit log as front ends see it, and how what is done gets into it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any

from evalbox.domain.audit import OK, PRUNE, AuditEntry, AuditReport, Pruned
from evalbox.domain.limits import DAY
from evalbox.errors import EvalboxError, InvalidInput, StoreError
from evalbox.service.actor import Actor, acting, current
from evalbox.store.journal import Draft, pending
from evalbox.store.store import Store
from evalbox.wire.moments import iso

_HASH_LENGTH = 64
_HEXADECIMAL = frozenset("0123456789abcdef")
_IDS_TOLD = 20


@asynccontextmanager
async def audited(
    store: Store,
    action: str,
    target: str = "",
    detail: Mapping[str, Any] | None = None,
    *,
    name: Callable[[Any], str] | None = None,
) -> AsyncIterator[Draft]:
    """Puts what is done within into the audit log, as one entry, whether it succeeds or fails.

    The entry is in the transaction of the first change. ``name`` tells the target from what that
    change gives, where it is not known before; the draft's own can be set for what follows.
    """
    actor = current()
    draft = Draft(
        at=store.clock.now(),
        actor=actor.name,
        source=actor.source,
        request_id=actor.request_id,
        action=action,
        target=target,
        detail=detail or {},
        name=name,
    )
    try:
        with pending(draft):
            yield draft
    except Exception as error:
        code = error.code if isinstance(error, EvalboxError) else "internal_error"
        # The failure itself is what the caller must hear of.
        with suppress(StoreError):
            await store.append_audit(draft, code)
        raise
    if not draft.written:
        await store.append_audit(draft, OK)


def of_many(ids: Sequence[str]) -> tuple[str, Mapping[str, Any]]:
    """The target and the detail of an entry that tells of several things at once."""
    detail = {"count": len(ids), "ids": list(ids[:_IDS_TOLD])} if len(ids) > 1 else {}
    return ids[0] if ids else "", detail


async def expire(store: Store, days: float) -> None:
    """Prunes what is older than so many days; 0 keeps all of it."""
    before = store.clock.now() - days * DAY
    oldest = await store.oldest_audit_entry() if days else None
    if oldest is not None and oldest < before:
        with acting(Actor("evalbox", "local")):
            await LocalAudit(store).prune(before)


class LocalAudit:
    """Implements ``Audit``."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def list(self, *, after: int | None = None, limit: int = 100) -> Sequence[AuditEntry]:
        if after is None:
            return await self._store.newest_audit_entries(limit)
        return await self._store.audit_entries(after, limit=limit)

    async def prune(self, before: float) -> Pruned:
        async with audited(self._store, PRUNE, iso(before)) as draft:
            if before > self._store.clock.now() - DAY:
                raise InvalidInput(
                    "the audit log keeps its entries for a day at least",
                    hint="prune what is older, as with --before 90d",
                    field="before",
                )
            return await self._store.prune_audit(before, draft)

    async def verify(self, expect: str | None = None) -> AuditReport:
        return await self._store.verify_audit(None if expect is None else _hash(expect))


def _hash(text: str) -> str:
    given = text.strip().lower()
    if len(given) != _HASH_LENGTH or not set(given) <= _HEXADECIMAL:
        raise InvalidInput(
            f"{text[:80]!r} is not a hash of the audit log",
            hint="give the 64 characters that evalbox audit verify printed",
            field="expect",
        )
    return given
