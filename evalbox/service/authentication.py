"""Whose key a request came with, and the record of those that came with none."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from typing import Any

from evalbox.domain.access import ApiKey, Standing, Token
from evalbox.domain.clock import Clock
from evalbox.domain.signing import WINDOW, Signature
from evalbox.errors import StoreError
from evalbox.service.actor import Actor
from evalbox.store.journal import Draft
from evalbox.store.store import Store

#: Seconds between two records of a key's use, and of refusals of one kind to one address.
_TOUCH = 60.0
_RECORD = 60.0
#: How many refusals are recorded in that time at most, from all addresses together.
_MOST_RECORDED = 30
#: Seconds for which a key that was found need not be looked for again, and how many are known so.
_FOUND, _MOST_FOUND = 1.0, 1024


class KeyEnded(Exception):
    """The key that something was begun with is in force no longer."""


class Authentication:
    """Over the keys of a store. Answers None for every key that gives no right, whatever it lacks.

    Raises ``StoreError``.
    """

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._refusals: set[tuple[str, str]] = set()
        self._since = clock.monotonic()
        self._found: dict[bytes, tuple[float, ApiKey]] = {}
        self._leases: dict[str, dict[asyncio.Timeout, asyncio.Task[Any] | None]] = {}

    async def by_token(self, token: Token) -> ApiKey | None:
        """The key in force of a token that was shown. Of those that sign, none may be shown."""
        digest = token.digest()
        until, key = self._found.get(digest, (0.0, None))
        if key is None or until <= self._clock.monotonic():
            key = await self._store.find_key(token)
        if key is None or key.signing:
            return None
        key = await self._in_force(key)
        if key is not None:
            if len(self._found) >= _MOST_FOUND:
                self._found.clear()
            self._found[digest] = (self._clock.monotonic() + _FOUND, key)
        return key

    async def by_signature(self, signature: Signature, method: str, target: str) -> ApiKey | None:
        """The key in force that a request was signed with, which is never accepted again.

        The body is the caller's to compare, before anything takes effect.
        """
        now = self._clock.now()
        if abs(now - signature.time) > WINDOW:
            return None
        found = await self._store.signing_key(signature.key_id)
        if found is None or not signature.is_of(found[1], method, target):
            return None
        key = await self._in_force(found[0])
        if key is None or not await self._store.use_nonce(
            key.id, signature.nonce, now=now, until=signature.time + WINDOW
        ):
            return None
        return key

    async def _in_force(self, key: ApiKey) -> ApiKey | None:
        now = self._clock.now()
        if key.standing(now) is not Standing.ACTIVE:
            return None
        if key.last_used_at is None or now - key.last_used_at >= _TOUCH:
            # A full disk must not lock out those who could make room.
            with suppress(StoreError):
                await self._store.touch_key(key.id, now)
            return replace(key, last_used_at=now)
        return key

    @asynccontextmanager
    async def lease(self, key_id: str, expires_at: float | None) -> AsyncIterator[None]:
        """For the length of what a key is used for: raises ``KeyEnded`` within, when it ends.

        So a stream that was opened with a key does not outlive it.
        """
        left = None if expires_at is None else max(0.0, expires_at - self._clock.now())
        leases = self._leases.setdefault(key_id, {})
        task = asyncio.current_task()
        lease = asyncio.timeout(left)
        try:
            async with lease:
                leases[lease] = task
                yield
        except TimeoutError:
            if not lease.expired():
                raise
            raise KeyEnded from None
        finally:
            leases.pop(lease, None)
            if not leases:
                self._leases.pop(key_id, None)

    def ended(self, key_id: str) -> None:
        """A key has been revoked: ends all that it is used for, but for what revokes it."""
        self._found = {at: found for at, found in self._found.items() if found[1].id != key_id}
        now = asyncio.get_running_loop().time()
        for lease, task in self._leases.get(key_id, {}).items():
            if task is not asyncio.current_task() and not lease.expired():
                lease.reschedule(now)

    async def refused(self, actor: Actor, target: str, result: str) -> None:
        """Puts a refusal into the audit log: once a minute for each address and result, so that
        nobody can fill the log.
        """
        if self._clock.monotonic() - self._since >= _RECORD:
            self._since = self._clock.monotonic()
            self._refusals.clear()
        place = (actor.source, result)
        if place in self._refusals or len(self._refusals) >= _MOST_RECORDED:
            return
        self._refusals.add(place)
        draft = Draft(
            at=self._clock.now(),
            actor=actor.name,
            source=actor.source,
            request_id=actor.request_id,
            action="access.refuse",
            target=target,
        )
        with suppress(StoreError):
            await self._store.append_audit(draft, result)
