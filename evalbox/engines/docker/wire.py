"""Connections to the Docker engine that stay open: output, input, waiting.

docker-py would hold a thread for each of them for as long as a sandbox lives. Requests are made in
HTTP/1.0: the engine then sends the body as it is, without chunks, and ends it by hanging up.
"""

from __future__ import annotations

import asyncio
import json
import os
import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode, urlsplit

from evalbox.engines.docker.faults import refusal, unreachable
from evalbox.errors import EngineUnavailable

DEFAULT_HOST = "unix:///var/run/docker.sock"
#: Bytes that are read at once; asyncio stops reading at twice this while nobody takes them.
PIECE = 64 * 1024
#: Seconds until the head of an answer must be there.
_ANSWER_TIMEOUT = 60.0
_CONNECT_TIMEOUT = 10.0
#: Seconds in which a stream of a sandbox that has ended must go on, or has ended too.
_LAST_WORDS = 2.0


@dataclass(frozen=True, slots=True)
class Address:
    """Where the engine listens: the ``path`` of a Unix socket, or ``host`` and ``port``."""

    url: str
    path: str = ""
    host: str = ""
    port: int = 0

    @classmethod
    def parse(cls, url: str | None) -> Address:
        """``url`` None is DOCKER_HOST of the environment, else the socket of the system."""
        text = url or os.environ.get("DOCKER_HOST") or DEFAULT_HOST
        parts = urlsplit(text)
        if parts.scheme == "unix" and parts.path:
            return cls(text, path=parts.netloc + parts.path)
        if parts.scheme == "tcp" and parts.hostname:
            return cls(text, host=parts.hostname, port=parts.port or 2375)
        raise EngineUnavailable(
            f"Docker host {text!r} is of a kind that evalbox cannot use",
            hint="set DOCKER_HOST to unix:///var/run/docker.sock or tcp://HOST:PORT",
        )

    def try_to_connect(self) -> None:
        """Raises ``OSError`` where nobody listens. Blocks for a while where nobody refuses."""
        if self.path:
            with socket.socket(socket.AF_UNIX) as unix:
                unix.connect(self.path)
        else:
            socket.create_connection((self.host, self.port), _CONNECT_TIMEOUT).close()


@dataclass(frozen=True, slots=True)
class Request:
    """``path`` begins after the version of the API. ``upgrade`` asks for a two-way stream."""

    method: str
    path: str
    query: Mapping[str, str | int] | None = None
    body: Mapping[str, object] | None = None
    upgrade: bool = False

    def encode(self, version: str) -> bytes:
        payload = b"" if self.body is None else json.dumps(self.body).encode()
        lines = [
            f"{self.method} /v{version}{self.path}?{urlencode(self.query or {})} HTTP/1.0",
            "Host: docker",
            "Content-Type: application/json",
            f"Content-Length: {len(payload)}",
        ]
        if self.upgrade:
            lines += ["Connection: Upgrade", "Upgrade: tcp"]
        return "\r\n".join([*lines, "", ""]).encode() + payload


@dataclass(frozen=True, slots=True)
class Connection:
    """A connection after the head of the engine's answer."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def pieces(
        self, ended: asyncio.Future[Any] | None = None, *, patience: float = _LAST_WORDS
    ) -> AsyncIterator[bytes]:
        """The body as it comes, until the engine hangs up.

        The engine may forget to, when a sandbox ends at a bad moment: after ``ended``, a silence of
        ``patience`` seconds is the end too.
        """
        try:
            while piece := await self._piece(ended, patience):
                yield piece
        except OSError as error:
            raise unreachable(error) from error

    async def _piece(self, ended: asyncio.Future[Any] | None, patience: float) -> bytes:
        if ended is None:
            return await self.reader.read(PIECE)
        reading = asyncio.ensure_future(self.reader.read(PIECE))
        try:
            await asyncio.wait((reading, ended), return_when=asyncio.FIRST_COMPLETED)
            await asyncio.wait((reading,), timeout=patience)
            return reading.result() if reading.done() else b""
        finally:
            reading.cancel()

    async def send(self, data: bytes) -> None:
        try:
            self.writer.write(data)
            await self.writer.drain()
        except OSError as error:
            raise unreachable(error) from error

    @property
    def ended(self) -> bool:
        """Whether the engine has hung up and everything has been read."""
        return self.reader.at_eof()

    def close(self) -> None:
        """Hangs up; what was sent before is still delivered."""
        self.writer.close()


async def connect(address: Address, version: str, request: Request) -> Connection:
    """Sends ``request`` and reads the head of the answer.

    Raises ``EngineUnavailable`` where nothing answers, and what ``refusal`` makes of a refusal.
    """
    connection = await _opened(address)
    try:
        async with asyncio.timeout(_ANSWER_TIMEOUT):
            await connection.send(request.encode(version))
            head = await connection.reader.readuntil(b"\r\n\r\n")
            status = int(head.split(None, 2)[1])
            if status >= 400:
                raise refusal(status, _message(await connection.reader.read(PIECE)))
    except (OSError, asyncio.IncompleteReadError, TimeoutError) as error:
        connection.close()
        raise unreachable(error) from error
    except BaseException:
        connection.close()
        raise
    return connection


async def _opened(address: Address) -> Connection:
    try:
        if address.path:
            pair = await asyncio.open_unix_connection(address.path, limit=PIECE)
        else:
            pair = await asyncio.open_connection(address.host, address.port, limit=PIECE)
    except OSError as error:
        raise unreachable(error) from error
    return Connection(*pair)


def _message(body: bytes) -> str:
    with suppress(ValueError, KeyError, TypeError):
        return str(json.loads(body)["message"])
    return body.decode(errors="replace").strip()
