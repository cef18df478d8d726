"""What becomes of requests that a service which ends can wait for no longer."""

from __future__ import annotations

import asyncio
import json

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from evalbox.errors import ServiceUnreachable
from evalbox.wire.problem import MEDIA_TYPE, problem

_STATUS = 503


class Farewell:
    """Around an application whose requests its server cancels in the end.

    An answer that has not begun becomes a problem that says so; one that has is ended as it is.
    Both are for clients to ask the next service.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self.ending = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        begun = ended = False

        async def observed(message: Message) -> None:
            nonlocal begun, ended
            begun = True
            ended = message["type"] == "http.response.body" and not message.get("more_body")
            await send(message)

        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        try:
            await self._app(scope, receive, observed)
        except asyncio.CancelledError:
            if not self.ending:
                raise
            if not begun:
                await _refuse(send)
            elif not ended:
                await send({"type": "http.response.body", "body": b""})


async def _refuse(send: Send) -> None:
    error = ServiceUnreachable("the service is stopping", hint="ask again in a moment")
    content = json.dumps(problem(error, _STATUS)).encode()
    headers = [
        (b"content-type", MEDIA_TYPE.encode()),
        (b"content-length", str(len(content)).encode()),
        (b"retry-after", b"1"),
    ]
    await send({"type": "http.response.start", "status": _STATUS, "headers": headers})
    await send({"type": "http.response.body", "body": content})
