"""Signed requests: who has a signing key proves it without showing it.

The signature is HMAC-SHA256, in hexadecimal, over these lines, parted by line feeds::

    EVALBOX-HMAC-SHA256
    the time, in whole seconds since 1970
    the nonce: 16 to 64 characters of A-Z a-z 0-9 _ -, never used twice
    the method, in capitals
    the path with its query, as it is on the wire
    the SHA-256 of the body, in hexadecimal

and travels as::

    Authorization: EVALBOX-HMAC-SHA256 key=ID, time=T, nonce=N, body=HASH, signature=S

The secret is HMAC-SHA256 of ``evalbox request signing`` under the whole token.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from collections.abc import Callable
from dataclasses import dataclass

from evalbox.domain.access import Token

SCHEME = "EVALBOX-HMAC-SHA256"
#: How far the time of a request may be from the box's, in seconds.
WINDOW = 300.0
EMPTY_BODY = hashlib.sha256(b"").hexdigest()

_HEADER = re.compile(
    rf"{SCHEME} key=(?P<key>[0-9a-z]{{1,40}}), ?time=(?P<time>[0-9]{{1,12}}),"
    r" ?nonce=(?P<nonce>[A-Za-z0-9_-]{16,64}), ?body=(?P<body>[0-9a-f]{64}),"
    r" ?signature=(?P<signature>[0-9a-f]{64})"
)


@dataclass(frozen=True, slots=True)
class Signature:
    """What a signed request shows. ``time`` is in seconds since 1970."""

    key_id: str
    time: int
    nonce: str
    body: str
    signature: str

    @classmethod
    def parse(cls, header: str) -> Signature | None:
        """None for what is not a signature."""
        found = _HEADER.fullmatch(header)
        if found is None:
            return None
        return cls(
            found["key"], int(found["time"]), found["nonce"], found["body"], found["signature"]
        )

    def header(self) -> str:
        return (
            f"{SCHEME} key={self.key_id}, time={self.time}, nonce={self.nonce},"
            f" body={self.body}, signature={self.signature}"
        )

    def is_of(self, secret: bytes, method: str, target: str) -> bool:
        """Whether the request that it came with was signed with ``secret``, but for the body."""
        expected = _mac(secret, self.time, self.nonce, method.upper(), target, self.body)
        return hmac.compare_digest(expected, self.signature)


def sign(token: Token, method: str, target: str, *, now: float, body: str = EMPTY_BODY) -> str:
    """The header for a request. ``body`` is the SHA-256 of its body, in hexadecimal."""
    nonce, time = secrets.token_urlsafe(18), int(now)
    signature = _mac(signing_secret(token), time, nonce, method.upper(), target, body)
    return Signature(token.key_id, time, nonce, body, signature).header()


def authorization(
    key: str, method: str, target: str, *, now: float, body: Callable[[], str] = lambda: EMPTY_BODY
) -> str:
    """The header with which a request uses a key: its signature where the key signs.

    ``target`` is the path with the query, as it is on the wire; ``body`` tells the SHA-256 of the
    body, and is asked only where it is needed.
    """
    token = Token.parse(key)
    if token is None or not token.signing:
        return f"Bearer {key}"
    return sign(token, method, target, now=now, body=body())


def signing_secret(token: Token) -> bytes:
    """What both sides sign with; the token does not follow from it."""
    return hmac.digest(str(token).encode(), b"evalbox request signing", "sha256")


def _mac(secret: bytes, *signed: str | int) -> str:
    lines = "\n".join(map(str, (SCHEME, *signed)))
    return hmac.digest(secret, lines.encode(), "sha256").hex()
