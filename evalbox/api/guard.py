"""What every request has to pass before a route is looked for."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from evalbox.api import problems
from evalbox.api.auth import Identification, address_of, unauthenticated
from evalbox.api.bodies import MAX_DRAINED, Bodies, Incoming, Vanished, announced
from evalbox.api.buckets import Taken
from evalbox.api.throttle import Throttle
from evalbox.domain.access import Principal
from evalbox.errors import EvalboxError, Forbidden, TooLarge, Unauthenticated
from evalbox.service.actor import Actor, acting
from evalbox.service.authentication import Authentication, KeyEnded
from evalbox.telemetry.logs import bound, get_logger

log = get_logger(__name__)

#: Bytes of a path with its query, and of all headers; and how many headers there may be.
MAX_TARGET, MAX_HEADERS, MAX_HEADER_COUNT = 16 << 10, 32 << 10, 100
#: Costs nothing to answer; who watches over the service must always be told that it lives.
_ALIVE = "/healthz"
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
_OWN_SITE = frozenset({"same-origin", "none"})
#: Closes a WebSocket that is not allowed any more (RFC 6455).
_POLICY = 1008
#: Characters of a path that the audit log tells.
_TOLD = 200
_DENIED = {401: Unauthenticated.code, 403: Forbidden.code}


@dataclass(frozen=True, slots=True)
class _Admitted:
    principal: Principal | None
    receive: Receive
    taken: Taken | None


class Guard:
    """Below ``prefix`` nobody is let in unknown; of all else, each route says itself."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        prefix: str,
        throttle: Throttle,
        bodies: Bodies,
        keys: Authentication | None,
    ) -> None:
        self._app = app
        self._prefix = prefix
        self._throttle = throttle
        self._bodies = bodies
        self._keys = keys
        self._identify = Identification(keys)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        incoming = Incoming(receive)
        try:
            admitted = await self._admit(scope, incoming)
        except Vanished:
            return
        except EvalboxError as error:
            refused = await self._refused(error, scope)
            await _answer(refused, scope, incoming, send)
            return
        actor = _actor(admitted.principal, scope)
        with acting(actor), bound(actor=actor.name):
            sending = self._sending(send, scope, admitted, actor, incoming)
            await self._pass_on(scope, admitted, sending)

    async def _pass_on(self, scope: Scope, admitted: _Admitted, send: Send) -> None:
        principal = admitted.principal
        if self._keys is None or principal is None or principal.key_id is None:
            await self._app(scope, admitted.receive, send)
            return
        answer = _Answer(send)
        try:
            async with self._keys.lease(principal.key_id, principal.expires_at):
                await self._app(scope, admitted.receive, answer)
        except KeyEnded:
            await answer.end(scope, admitted.receive)

    async def _admit(self, scope: Scope, receive: Receive) -> _Admitted:
        _check_size(scope)
        _check_origin(scope)
        principal, signed = await self._identify(scope)
        if principal is None and scope["path"].startswith(self._prefix):
            raise unauthenticated()
        counted = scope["path"] != _ALIVE
        taken = self._throttle.take(principal, address_of(scope)) if counted else None
        if scope["type"] == "http":
            receive = await self._bodies.guarded(scope, receive, signed)
        return _Admitted(principal, receive, taken)

    async def _refused(self, error: EvalboxError, scope: Scope) -> EvalboxError:
        """What is answered: failed authentication is throttled, and where it is not, audited."""
        if not isinstance(error, Unauthenticated):
            return error
        address = address_of(scope)
        try:
            self._throttle.refuse(address)
        except EvalboxError as throttled:
            return throttled
        log.warning("refused", client=address, path=scope["path"])
        await self._audit(scope, _actor(None, scope), error.code)
        return error

    async def _audit(self, scope: Scope, actor: Actor, code: str) -> None:
        if self._keys is not None:
            method = scope.get("method", "WEBSOCKET")
            await self._keys.refused(actor, f"{method} {scope['path'][:_TOLD]}", code)

    def _sending(
        self, send: Send, scope: Scope, admitted: _Admitted, actor: Actor, incoming: Incoming
    ) -> Send:
        async def sending(message: Message) -> None:
            status = message.get("status")
            if status is not None:
                headers = MutableHeaders(scope=message)
                if admitted.taken is not None and admitted.principal is not None:
                    self._throttle.tell(headers, admitted.taken)
                if scope["type"] == "http" and not incoming.complete:
                    await incoming.drain()
                    if not incoming.complete:
                        headers["Connection"] = "close"
                if status in _DENIED:
                    await self._audit(scope, actor, _DENIED[status])
            await send(message)

        return sending


class _Answer:
    """What is sent, and how to end it in the middle."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._begun = False

    async def __call__(self, message: Message) -> None:
        self._begun = True
        await self._send(message)

    async def end(self, scope: Scope, receive: Receive) -> None:
        if not self._begun:
            request_id = str(scope.get("evalbox.request_id", ""))
            await problems.response(unauthenticated(), request_id=request_id)(
                scope, receive, self._send
            )
        elif scope["type"] == "websocket":
            with suppress(RuntimeError):
                await self._send(
                    {"type": "websocket.close", "code": _POLICY, "reason": "the key has ended"}
                )
        else:
            # Refused where a length was told, and ended by the server then.
            with suppress(RuntimeError):
                await self._send({"type": "http.response.body", "body": b"", "more_body": False})


def _actor(principal: Principal | None, scope: Scope) -> Actor:
    request_id = scope.get("evalbox.request_id")
    if principal is None:
        return Actor("unknown", address_of(scope), request_id)
    # The name of a key is its owner's to choose, and must not pass for a user's.
    name = f"key {principal.name}" if principal.key_id else principal.name
    return Actor(name, principal.source, request_id)


async def _answer(error: EvalboxError, scope: Scope, incoming: Incoming, send: Send) -> None:
    request_id = str(scope.get("evalbox.request_id", ""))
    answer = problems.response(error, request_id=request_id)
    if scope["type"] == "http":
        if announced(scope) <= MAX_DRAINED:
            await incoming.drain()
        if not incoming.complete:
            # What is still to come would else be waited for.
            answer.headers["Connection"] = "close"
    await answer(scope, incoming, send)


def _check_size(scope: Scope) -> None:
    if len(scope["raw_path"]) + len(scope["query_string"]) > MAX_TARGET:
        raise TooLarge("the address is too long", hint=f"at most {MAX_TARGET} bytes")
    headers = scope["headers"]
    size = sum(len(name) + len(value) for name, value in headers)
    if size > MAX_HEADERS or len(headers) > MAX_HEADER_COUNT:
        raise TooLarge(
            "the headers are too large",
            hint=f"at most {MAX_HEADER_COUNT} of {MAX_HEADERS} bytes together",
        )


def _check_origin(scope: Scope) -> None:
    """No page of another site may make a browser change anything, or open a socket.

    That a page can name our own host is no use to it: a key is not sent by browsers by themselves.
    """
    if scope["type"] == "http" and scope["method"] in _SAFE:
        return
    headers = Headers(scope=scope)
    origin = headers.get("origin")
    foreign = origin is not None and urlsplit(origin).netloc != headers.get("host")
    if foreign or headers.get("sec-fetch-site", "none") not in _OWN_SITE:
        raise Forbidden("requests from pages of other sites are refused")
