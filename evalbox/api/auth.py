"""Who asks, and whether they may."""

from __future__ import annotations

from typing import Any

from fastapi import Depends
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Receive, Send
from starlette.types import Scope as AsgiScope

from evalbox.domain.access import Principal, Scope
from evalbox.errors import Forbidden, Unauthenticated

_TRUSTED = "evalbox.trusted"


class Trusted:
    """The application as the Unix socket has it: who may open the socket owns the box."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: AsgiScope, receive: Receive, send: Send) -> None:
        scope[_TRUSTED] = True
        await self._app(scope, receive, send)


def requires(needed: Scope) -> Any:
    """A dependency for a route that only those may use whose key has the scope."""

    async def check(connection: HTTPConnection) -> Principal:
        principal = await authenticate(connection)
        if not principal.allows(needed):
            raise Forbidden(
                f"this needs a key of scope {needed}", hint="ask the owner of the box for one"
            )
        return principal

    check.scope = needed  # type: ignore[attr-defined]
    return Depends(check)


async def authenticate(connection: HTTPConnection) -> Principal:
    """Raises ``Unauthenticated``."""
    if connection.scope.get(_TRUSTED):
        return Principal("socket", frozenset(Scope), None, "socket")
    raise Unauthenticated("no valid API key was given", hint="send it as: Authorization: Bearer")
