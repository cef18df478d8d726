"""API keys as front ends see them."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from evalbox.domain.access import ApiKey, Scope, Token
from evalbox.domain.clock import Clock
from evalbox.domain.signing import signing_secret
from evalbox.domain.text import plain_text
from evalbox.errors import InvalidInput
from evalbox.service.audit import audited
from evalbox.service.authentication import Authentication
from evalbox.store.store import Store


class LocalKeys:
    """Implements ``Keys``."""

    def __init__(self, store: Store, clock: Clock, authentication: Authentication) -> None:
        self._store = store
        self._clock = clock
        self._authentication = authentication

    async def create(
        self,
        name: str,
        scopes: Collection[Scope],
        *,
        expires_at: float | None = None,
        signing: bool = False,
    ) -> tuple[ApiKey, str]:
        plain_text(name, field="name")
        now = self._clock.now()
        if not scopes:
            raise InvalidInput(
                "a key without a scope could do nothing",
                hint=f"give one of {', '.join(Scope)}",
                field="scopes",
            )
        if expires_at is not None and expires_at <= now:
            raise InvalidInput(
                "the key would have expired already", hint="give a later time", field="expires_at"
            )
        token = Token.new(signing=signing)
        key = ApiKey(
            token.key_id, name, frozenset(scopes), now, expires_at=expires_at, signing=signing
        )
        told = {
            "name": name,
            "scopes": sorted(key.scopes),
            "expires_at": expires_at,
            "signing": signing,
        }
        async with audited(self._store, "key.create", key.id, told):
            await self._store.add_key(key, token, signing_secret(token) if signing else None)
        return key, str(token)

    async def list(self) -> Sequence[ApiKey]:
        return await self._store.keys()

    async def revoke(self, reference: str) -> ApiKey:
        async with audited(self._store, "key.revoke", reference, name=lambda key: key.id):
            key = await self._store.revoke_key(reference, self._clock.now())
        self._authentication.ended(key.id)
        return key
