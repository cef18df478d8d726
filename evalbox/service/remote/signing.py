"""Shows a key with each request, or signs the request with it."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncGenerator

import httpx

from evalbox.domain.clock import Clock, SystemClock
from evalbox.domain.signing import authorization

#: The extension of a request that tells the SHA-256 of a body which is streamed, in hexadecimal.
DIGEST = "evalbox.digest"


class KeyAuth(httpx.Auth):
    """``key`` is the text of a token."""

    def __init__(self, key: str, clock: Clock | None = None) -> None:
        self._key = key
        self._clock = clock or SystemClock()

    async def async_auth_flow(
        self, request: httpx.Request
    ) -> AsyncGenerator[httpx.Request, httpx.Response]:
        request.headers["Authorization"] = authorization(
            self._key,
            request.method,
            request.url.raw_path.decode("ascii"),
            now=self._clock.now(),
            body=lambda: _digest(request),
        )
        yield request


def _digest(request: httpx.Request) -> str:
    told: str | None = request.extensions.get(DIGEST)
    return told or hashlib.sha256(request.content).hexdigest()
