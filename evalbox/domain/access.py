"""Who may do what: scopes, API keys, and those who act."""

from __future__ import annotations

import base64
import hashlib
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from evalbox.domain.ids import ALPHABET

_BEARER, _SIGNING = "evb", "evbs"
_ID_LENGTH = 10
_SECRET_BYTES = 32
_SECRET_LENGTH = 43


class Scope(StrEnum):
    """What a key may do; each includes the ones before it."""

    READ = "read"
    SUBMIT = "submit"
    ADMIN = "admin"

    def includes(self, other: Scope) -> bool:
        order = tuple(Scope)
        return order.index(self) >= order.index(other)


def allows(scopes: Iterable[Scope], needed: Scope) -> bool:
    """Whether any of ``scopes`` includes what is needed."""
    return any(scope.includes(needed) for scope in scopes)


class Standing(StrEnum):
    ACTIVE = "active"
    EXPIRED = "expired"
    REVOKED = "revoked"


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A key as the store has it, without its token. Times are seconds since 1970.

    ``signing``: requests with this key must be signed, and its bare token is refused.
    ``last_used_at`` is kept to the minute.
    """

    id: str
    name: str
    scopes: frozenset[Scope]
    created_at: float
    expires_at: float | None = None
    revoked_at: float | None = None
    last_used_at: float | None = None
    signing: bool = False

    def standing(self, now: float) -> Standing:
        if self.revoked_at is not None:
            return Standing.REVOKED
        if self.expires_at is not None and self.expires_at <= now:
            return Standing.EXPIRED
        return Standing.ACTIVE


@dataclass(frozen=True, slots=True)
class Principal:
    """Who a request is from. ``key_id`` is None where the way in was enough, as on the socket.

    ``source`` is ``socket``, or the address of the peer; ``expires_at`` that of the key.
    """

    name: str
    scopes: frozenset[Scope]
    key_id: str | None
    source: str
    expires_at: float | None = None

    def allows(self, needed: Scope) -> bool:
        return allows(self.scopes, needed)


@dataclass(frozen=True, slots=True, repr=False)
class Token:
    """What a client is given: ``evb_KEY-ID_SECRET``, the secret being 256 bits at random.

    It begins with ``evbs`` where it is not to be shown but to be signed with.
    """

    key_id: str
    secret: str
    signing: bool = False

    @classmethod
    def new(cls, *, signing: bool = False) -> Token:
        key_id = "".join(secrets.choice(ALPHABET) for _ in range(_ID_LENGTH))
        raw = secrets.token_bytes(_SECRET_BYTES)
        return cls(key_id, base64.urlsafe_b64encode(raw).rstrip(b"=").decode(), signing)

    @classmethod
    def parse(cls, text: str) -> Token | None:
        """None for what cannot be a token."""
        prefix, _, rest = text.partition("_")
        key_id, _, secret = rest.partition("_")
        whole = prefix in (_BEARER, _SIGNING) and len(secret) == _SECRET_LENGTH and secret.isascii()
        if not whole or len(key_id) != _ID_LENGTH or not set(key_id) <= set(ALPHABET):
            return None
        return cls(key_id, secret, prefix == _SIGNING)

    def digest(self) -> bytes:
        """What is stored of it: its SHA-256. Long random tokens need no slow hash."""
        return hashlib.sha256(str(self).encode()).digest()

    def __str__(self) -> str:
        return f"{_SIGNING if self.signing else _BEARER}_{self.key_id}_{self.secret}"

    def __repr__(self) -> str:
        return f"Token({self.key_id})"
