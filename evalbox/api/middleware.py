"""Around every request: its id, the log's context, security headers, and no traceback."""

from __future__ import annotations

import re
import secrets

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from evalbox.api import problems
from evalbox.errors import EvalboxError
from evalbox.telemetry.logs import bound, get_logger

log = get_logger(__name__)

REQUEST_ID = "X-Request-ID"
_SANE_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
#: An API has no page, so a browser is to do nothing with what it gets.
_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


class Envelope:
    """The outermost layer."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        given = Headers(scope=scope).get(REQUEST_ID, "")
        request_id = given if _SANE_ID.fullmatch(given) else secrets.token_hex(8)
        scope["evalbox.request_id"] = request_id
        begun = False

        async def enveloped(message: Message) -> None:
            nonlocal begun
            if message["type"] in ("http.response.start", "websocket.accept"):
                begun = True
                headers = MutableHeaders(scope=message)
                headers[REQUEST_ID] = request_id
                for name, value in _HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        with bound(request=request_id):
            try:
                await self._app(scope, receive, enveloped)
            except ClientDisconnect:
                # In the middle of an upload: nobody is left to be told.
                log.info("the client went away", path=scope["path"])
            except Exception as error:
                log.exception("evalbox itself failed", path=scope["path"])
                if begun or scope["type"] != "http":
                    raise
                failed = EvalboxError(
                    f"unexpected: {type(error).__name__}",
                    hint="this is a mistake in evalbox; its log has more, under the request id",
                )
                answer = problems.response(failed, request_id=request_id, status=500)
                await answer(scope, receive, enveloped)
