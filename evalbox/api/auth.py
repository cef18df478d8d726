"""Who asks, and whether they may."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Depends
from fastapi.security import HTTPBearer
from starlette.datastructures import Headers
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Receive, Send
from starlette.types import Scope as AsgiScope

from evalbox.domain.access import ApiKey, Principal, Scope, Token
from evalbox.domain.signing import Signature
from evalbox.errors import Forbidden, Unauthenticated
from evalbox.service.actor import current
from evalbox.service.authentication import Authentication

_TRUSTED = "evalbox.trusted"
_PRINCIPAL = "evalbox.principal"
_BEARER = "bearer "


class Trusted:
    """The application as the Unix socket has it: who may open the socket owns the box."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: AsgiScope, receive: Receive, send: Send) -> None:
        scope[_TRUSTED] = True
        await self._app(scope, receive, send)


class _Documented(HTTPBearer):
    """For the schema; who asks is known before a route is looked for."""

    async def __call__(self, request: HTTPConnection) -> None:
        return None


_documented = _Documented(
    scheme_name="key",
    auto_error=False,
    description="An API key. One made with --signing signs requests instead: see docs/security.md.",
)


def requires(needed: Scope) -> Any:
    """A dependency for a route that only those may use whose key has the scope."""

    async def check(
        connection: HTTPConnection, _: Annotated[None, Depends(_documented)]
    ) -> Principal:
        principal = principal_of(connection)
        if not principal.allows(needed):
            raise Forbidden(
                f"this needs a key of scope {needed}", hint="ask the owner of the box for one"
            )
        return principal

    check.scope = needed  # type: ignore[attr-defined]
    return Depends(check)


def principal_of(connection: HTTPConnection) -> Principal:
    """Who asks. Raises ``Unauthenticated`` where that is anybody."""
    found: Principal | None = connection.scope.get(_PRINCIPAL)
    if found is None:
        raise unauthenticated()
    return found


def unauthenticated() -> Unauthenticated:
    """The same for every reason, so that nobody learns which keys there are."""
    return Unauthenticated(
        "no valid API key was given",
        hint="send one that is in force, as: Authorization: Bearer KEY; where requests are signed,"
        " check the clock too",
    )


class Identification:
    """Finds out who asks; None is nobody who is known. Without ``keys`` only the socket is."""

    def __init__(self, keys: Authentication | None) -> None:
        self._keys = keys

    async def __call__(self, scope: AsgiScope) -> tuple[Principal | None, str | None]:
        """Who asks, and the hash that the body must have, if one was signed.

        Raises ``Unauthenticated`` for a key that is not in force, and one that was not understood.
        """
        signed = None
        if scope.get(_TRUSTED):
            principal = Principal(current().name, frozenset(Scope), None, "socket")
        else:
            given = Headers(scope=scope).getlist("authorization")
            if not given:
                return None, None
            key, signed = await self._key(scope, given[0]) if len(given) == 1 else (None, None)
            if key is None:
                raise unauthenticated()
            principal = Principal(key.name, key.scopes, key.id, address_of(scope), key.expires_at)
        scope[_PRINCIPAL] = principal
        return principal, signed

    async def _key(self, scope: AsgiScope, header: str) -> tuple[ApiKey | None, str | None]:
        if self._keys is None:
            return None, None
        if header[: len(_BEARER)].lower() == _BEARER:
            token = Token.parse(header[len(_BEARER) :].strip())
            return (await self._keys.by_token(token) if token else None), None
        signature = Signature.parse(header)
        if signature is None:
            return None, None
        method = scope.get("method", "GET")
        key = await self._keys.by_signature(signature, method, _target(scope))
        return key, signature.body


def address_of(scope: AsgiScope) -> str:
    """The address of the peer, as the connection has it."""
    client = scope.get("client")
    return str(client[0]) if client else "unknown"


def _target(scope: AsgiScope) -> str:
    path = scope["raw_path"].decode("latin-1")
    query = scope["query_string"].decode("latin-1")
    return f"{path}?{query}" if query else path
