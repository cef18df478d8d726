"""What comes with a request: bounded, complete, and what was signed, before it takes effect."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import re
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from typing import TypeVar

from fastapi.routing import APIRoute
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.types import Message, Receive, Scope

from evalbox.api.strict import check_json
from evalbox.domain.limits import MIB
from evalbox.domain.quantity import format_size
from evalbox.errors import InvalidInput, TooLarge, Unauthenticated

F = TypeVar("F", bound=Callable[..., object])

#: The most that a request may carry, but for uploads.
MAX_BODY = 4 * MIB
#: Seconds for a whole body that is no upload, and of silence within one that is.
_WHOLE, _SILENCE = 60.0, 60.0
#: Seconds and bytes for what is left of a body that was refused.
_DRAIN, MAX_DRAINED = 5.0, 16 * MIB
_LIMIT = "evalbox_upload_limit"
#: Bytes of JSON that are looked through in a millisecond or two.
_QUICK = 128 << 10


class Incoming:
    """What a client sends. ``complete``: nothing more of the body is to come."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self.complete = False

    async def __call__(self) -> Message:
        message = await self._receive()
        if message["type"] != "http.request" or not message.get("more_body", False):
            self.complete = True
        return message

    async def drain(self) -> None:
        """Reads away what is left, as far as it is little and comes soon.

        Many clients send all before they look at the answer, and never see one that was followed
        by the end of the connection.
        """
        size = 0
        with suppress(TimeoutError):
            async with asyncio.timeout(_DRAIN):
                while not self.complete and size < MAX_DRAINED:
                    size += len((await self()).get("body", b""))


class Vanished(Exception):
    """The client went away before all had come."""


def upload(limit: int) -> Callable[[F], F]:
    """Marks a route whose body is taken in as it comes, of at most ``limit`` bytes.

    The route must let nothing take effect before it has read all of it.
    """

    def mark(endpoint: F) -> F:
        setattr(endpoint, _LIMIT, limit)
        return endpoint

    return mark


@dataclass(frozen=True, slots=True)
class _Upload:
    methods: frozenset[str]
    path: re.Pattern[str]
    limit: int


async def arriving(request: Request) -> AsyncIterator[bytes]:
    """The body of an upload. Raises ``InvalidInput`` where it is not whole."""
    announced = request.headers.get("content-length", "")
    size = 0
    async for data in request.stream():
        size += len(data)
        yield data
    if announced.isdigit() and size != int(announced):
        raise InvalidInput("the upload broke off", hint="send it again")


class Bodies:
    """Knows which of ``routes`` below ``prefix`` take uploads."""

    def __init__(self, routes: Iterable[APIRoute], prefix: str) -> None:
        self._prefix = prefix
        self._uploads = [
            _Upload(frozenset(route.methods or ()), route.path_regex, limit)
            for route in routes
            if (limit := getattr(route.endpoint, _LIMIT, 0))
        ]

    async def guarded(self, scope: Scope, receive: Receive, signed: str | None) -> Receive:
        """The body as the application may have it. ``signed`` is the hash that it must have.

        Raises ``TooLarge``, ``Unauthenticated``, ``InvalidInput`` and ``Vanished``; for an upload
        the first three are raised while it is read, and at its end.
        """
        limit = self._limit_of(scope)
        if announced(scope) > (limit or MAX_BODY):
            raise _too_large(limit or MAX_BODY)
        if limit:
            return _Metered(receive, limit, signed)
        body = await _whole(receive, signed)
        if body and _is_json(scope):
            await _check(body)
        return _replaying(body, receive)

    def _limit_of(self, scope: Scope) -> int:
        path = scope["path"].removeprefix(self._prefix)
        for one in self._uploads:
            if scope["method"] in one.methods and one.path.match(path):
                return one.limit
        return 0


async def _whole(receive: Receive, signed: str | None) -> bytes:
    body = bytearray()
    try:
        async with asyncio.timeout(_WHOLE):
            more = True
            while more:
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise Vanished
                body += message.get("body", b"")
                more = message.get("more_body", False)
                if len(body) > MAX_BODY:
                    raise _too_large(MAX_BODY)
    except TimeoutError:
        raise InvalidInput(f"the body did not come within {_WHOLE:.0f} s") from None
    if signed is not None:
        _compare(hashlib.sha256(body).hexdigest(), signed)
    return bytes(body)


def _is_json(scope: Scope) -> bool:
    media = Headers(scope=scope).get("content-type", "").partition(";")[0].strip().lower()
    return media == "application/json" or media.endswith("+json")


async def _check(body: bytes) -> None:
    if len(body) <= _QUICK:
        check_json(body)
    else:
        await asyncio.to_thread(check_json, body)


def _replaying(body: bytes, receive: Receive) -> Receive:
    first: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def replay() -> Message:
        return first.pop() if first else await receive()

    return replay


class _Metered:
    """A body that is passed on as it comes."""

    def __init__(self, receive: Receive, limit: int, signed: str | None) -> None:
        self._receive = receive
        self._limit = limit
        self._signed = signed
        self._size = 0
        self._digest = hashlib.sha256() if signed is not None else None

    async def __call__(self) -> Message:
        try:
            async with asyncio.timeout(_SILENCE):
                message = await self._receive()
        except TimeoutError:
            raise InvalidInput(f"nothing came for {_SILENCE:.0f} s", hint="send it again") from None
        if message["type"] != "http.request":
            return message
        data = message.get("body", b"")
        self._size += len(data)
        if self._size > self._limit:
            raise _too_large(self._limit)
        if self._digest is not None and self._signed is not None:
            self._digest.update(data)
            if not message.get("more_body", False):
                _compare(self._digest.hexdigest(), self._signed)
        return message


def announced(scope: Scope) -> int:
    """How many bytes the client says that it sends; 0 where it does not."""
    text = Headers(scope=scope).get("content-length", "")
    return int(text) if text.isdigit() else 0


def _compare(found: str, signed: str) -> None:
    if not hmac.compare_digest(found, signed):
        raise Unauthenticated("the body is not the one that was signed")


def _too_large(limit: int) -> TooLarge:
    return TooLarge(f"the body is larger than {format_size(limit)}", hint="send less at once")
