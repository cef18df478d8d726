"""Talks HTTP to a box: by TCP, or by the Unix socket of a data directory of this machine."""

from __future__ import annotations

import json
import ssl
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from evalbox.domain.access import Token
from evalbox.errors import (
    ConfigError,
    EvalboxError,
    InvalidInput,
    ServiceError,
    ServiceUnreachable,
    Unauthenticated,
)
from evalbox.service.remote import uploads
from evalbox.service.remote.signing import DIGEST, KeyAuth
from evalbox.telemetry import traces
from evalbox.wire.problem import error_from

PREFIX = "/api/v1"
#: Seconds to connect, and of silence within an answer. Streams show every 15 s that they live.
_CONNECT, _SILENCE = 5.0, 90.0
_LONGEST_PROBLEM = 1 << 20
_KEY = (
    "give a key that is in force there, by --key or EVALBOX_KEY; evalbox keys create, on that box,"
    " makes one; where requests are signed, check the clock too"
)
#: What a proxy answers while the box behind it is away, and a server that had to break off.
_AWAY = frozenset({500, 502, 503, 504})

Query = Mapping[str, Any] | Sequence[tuple[str, Any]]


@dataclass(frozen=True, slots=True)
class ServerEvent:
    """One server-sent event, its data read as JSON."""

    kind: str
    data: Any


@dataclass(frozen=True, slots=True)
class Dial:
    """How a box is reached, for what is no request: see ``Client``."""

    url: str
    key: str = field(repr=False)
    ca: str
    socket: str | None
    where: str


async def _go_on_with_trace(request: httpx.Request) -> None:
    if trace := traces.current():
        request.headers["traceparent"] = trace


class Client:
    """``socket`` is the path of a Unix socket, which ``where`` names in words.

    ``ca`` is a file in PEM with the authority of the box's certificate (default: those that are
    known to the world). Raises what the box raised; ``ServiceUnreachable`` where nothing answers,
    or no longer.
    """

    def __init__(
        self, url: str, *, key: str = "", ca: str = "", socket: str | None = None, where: str = ""
    ) -> None:
        self._where = where or url
        self.dial = Dial(url, key, ca, socket, self._where)
        token = Token.parse(key)
        self._signs = token is not None and token.signing
        self._http = httpx.AsyncClient(
            base_url=url,
            headers={"User-Agent": "evalbox"},
            auth=KeyAuth(key) if key else None,
            transport=httpx.AsyncHTTPTransport(
                uds=socket,
                verify=verification(url, ca),
                limits=httpx.Limits(max_connections=None, max_keepalive_connections=10),
            ),
            timeout=httpx.Timeout(_SILENCE, connect=_CONNECT),
            # A proxy of the environment is not for a box of one's own.
            trust_env=False,
            event_hooks={"request": [_go_on_with_trace]},
        )

    async def greet(self) -> None:
        """Raises ``ServiceUnreachable``, and ``ServiceError`` where it is no box that answers."""
        with _Translated(self._where):
            answer = await self._http.get("/healthz")
        await _check(answer)

    async def get(self, path: str, query: Query | None = None) -> Any:
        return await self.send("GET", path, query=query)

    async def post(self, path: str, body: Any = None) -> Any:
        return await self.send("POST", path, body=body)

    async def send(
        self,
        method: str,
        path: str,
        *,
        query: Query | None = None,
        body: Any = None,
        content: bytes | AsyncIterator[bytes] | None = None,
        headers: Mapping[str, str] | None = None,
        extensions: dict[str, Any] | None = None,
        silence: float = _SILENCE,
    ) -> Any:
        """The answer's JSON, None where it has no content; waited for ``silence`` seconds."""
        if body is not None:
            content, headers = _encoded(body), {"Content-Type": "application/json"}
        with _Translated(self._where):
            answer = await self._http.request(
                method,
                PREFIX + path,
                params=_parameters(query),
                content=content,
                headers=headers,
                extensions=extensions,
                timeout=httpx.Timeout(_SILENCE, connect=_CONNECT, read=silence),
            )
        await _check(answer)
        return answer.json() if answer.content else None

    async def upload(
        self,
        method: str,
        path: str,
        source: Path | bytes,
        *,
        query: Query | None = None,
        silence: float = _SILENCE,
    ) -> Any:
        """Sends content, that of a file as it is read. Raises ``FileMissing``."""
        if isinstance(source, bytes):
            return await self.send(method, path, query=query, content=source, silence=silence)
        size = await uploads.size(source)
        # What is signed has to be known before it is sent.
        extensions = {DIGEST: await uploads.digest(source)} if self._signs else None
        return await self.send(
            method,
            path,
            query=query,
            content=uploads.content(source),
            headers={"Content-Length": str(size)},
            extensions=extensions,
            silence=silence,
        )

    @asynccontextmanager
    async def streamed(
        self,
        method: str,
        path: str,
        *,
        query: Query | None = None,
        body: Any = None,
        silence: float = _SILENCE,
    ) -> AsyncIterator[httpx.Response]:
        """The answer with its content still to come, for the length of a block."""
        content = None if body is None else _encoded(body)
        headers = None if body is None else {"Content-Type": "application/json"}
        with _Translated(self._where):
            async with self._http.stream(
                method,
                PREFIX + path,
                params=_parameters(query),
                content=content,
                headers=headers,
                timeout=httpx.Timeout(_SILENCE, connect=_CONNECT, read=silence),
            ) as answer:
                await _check(answer)
                yield answer

    async def pieces(
        self, method: str, path: str, *, query: Query | None = None, silence: float = _SILENCE
    ) -> AsyncIterator[bytes]:
        """The content of an answer, as it comes."""
        async with self.streamed(method, path, query=query, silence=silence) as answer:
            async for data in answer.aiter_bytes():
                yield data

    async def events(
        self, path: str, *, query: Query | None = None, method: str = "GET", body: Any = None
    ) -> AsyncIterator[ServerEvent]:
        """Server-sent events, until the box ends them."""
        async with self.streamed(method, path, query=query, body=body) as answer:
            kind, data = "message", ""
            async for line in answer.aiter_lines():
                if not line:
                    if data:
                        yield ServerEvent(kind, json.loads(data))
                    kind, data = "message", ""
                elif line.startswith("event: "):
                    kind = line[7:]
                elif line.startswith("data: "):
                    data += line[6:]

    async def close(self) -> None:
        await self._http.aclose()


class _Translated:
    """Turns what httpx raises into errors of ours."""

    def __init__(self, where: str) -> None:
        self._where = where

    def __enter__(self) -> None:
        return

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        if isinstance(error, httpx.ConnectError | httpx.ConnectTimeout):
            raise _unconnected(error, self._where) from error
        if isinstance(error, httpx.HTTPError | httpx.InvalidURL):
            reason = str(error) or type(error).__name__
            raise ServiceUnreachable(
                f"the box at {self._where} went away: {reason}", hint="ask again"
            ) from error


def verification(url: str, ca: str) -> ssl.SSLContext | bool:
    """To load the authorities of the world takes longer than to talk to a box without TLS."""
    if not url.startswith("https:"):
        return False
    if not ca:
        return True
    try:
        return ssl.create_default_context(cafile=ca)
    except OSError as error:
        raise ConfigError(
            f"tls_ca: {ca} holds no certificate that can be read: {error.strerror}",
            hint="name a file in PEM with the certificate of the authority",
        ) from error


def _unconnected(error: Exception, where: str) -> ServiceUnreachable:
    cause: BaseException | None = error
    while cause is not None and not isinstance(cause, ssl.SSLError):
        cause = cause.__cause__ or cause.__context__
    if cause is None:
        hint = "start one with: evalbox --serve"
        return ServiceUnreachable(f"no box answers at {where}", hint=hint, begun=False)
    reason = getattr(cause, "verify_message", "") or str(cause)
    return ServiceUnreachable(
        f"no trusted box answers at {where}: {reason}",
        hint="set tls_ca to the file with the authority that signed its certificate",
        begun=False,
    )


async def _check(answer: httpx.Response) -> None:
    if answer.is_success:
        return
    content = (await answer.aread())[:_LONGEST_PROBLEM]
    raise _refused(answer.status_code, content)


def _refused(status: int, content: bytes) -> EvalboxError:
    try:
        document = json.loads(content)
    except ValueError:
        document = None
    if isinstance(document, dict) and "code" in document:
        error = error_from(document)
        # The service's own hint is for those who write HTTP.
        return Unauthenticated(error.message, hint=_KEY) if status == 401 else error
    if status in _AWAY:
        return ServiceUnreachable(
            f"the box does not answer: its place says {status}", hint="ask again in a moment"
        )
    return ServiceError(
        f"what answered with status {status} is not evalbox", hint="check the URL of the box"
    )


def _encoded(body: Any) -> bytes:
    """Raises ``InvalidInput`` for words of a command line that are not text."""
    try:
        return json.dumps(body, ensure_ascii=False, allow_nan=False).encode()
    except UnicodeEncodeError as error:
        raise InvalidInput(
            "a box that is served takes text only, and this is not UTF-8",
            hint="put it into a file, as with --file or --stdin",
        ) from error


def _parameters(query: Query | None) -> list[tuple[str, Any]] | None:
    """What is None is left out."""
    if query is None:
        return None
    pairs = query.items() if isinstance(query, Mapping) else query
    return [(name, _text(value)) for name, value in pairs if value is not None]


def _text(value: Any) -> Any:
    return str(value).lower() if isinstance(value, bool) else value
