"""Connections to the Docker engine that stay open: output, input, waiting.

docker-py would hold a thread for each of them for as long as a sandbox lives. Requests are made in
HTTP/1.0: the engine then sends the body as it is, without chunks, and ends it by hanging up.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from evalbox.engines.docker.client import Address, api_error, unreachable

#: Bytes that are read at once; asyncio stops reading at twice this while nobody takes them.
PIECE = 64 * 1024
_ANSWER_TIMEOUT = 60.0


@dataclass(frozen=True, slots=True)
class Connection:
    """A connection after the engine's answer: ``reader`` gives the body."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def pieces(self) -> AsyncIterator[bytes]:
        """The body as it comes, until the engine hangs up."""
        try:
            while piece := await self.reader.read(PIECE):
                yield piece
        except OSError as error:
            raise unreachable(error) from error

    async def send(self, data: bytes) -> None:
        try:
            self.writer.write(data)
            await self.writer.drain()
        except OSError as error:
            raise unreachable(error) from error

    def close(self) -> None:
        """Hangs up at once; what was sent is still delivered."""
        self.writer.close()


class Wire:
    """Opens connections to the engine at ``address``, by the API of ``version`` such as 1.41."""

    def __init__(self, address: Address, version: str) -> None:
        self._address = address
        self._version = version

    async def open(
        self,
        method: str,
        path: str,
        query: dict[str, str | int] | None = None,
        *,
        body: dict[str, Any] | None = None,
        upgrade: bool = False,
    ) -> Connection:
        """Sends a request and reads the head of the answer.

        Raises what ``client.api_error`` makes of a refusal, ``EngineUnavailable`` where nothing
        answers.
        """
        connection = await self._connect()
        try:
            async with asyncio.timeout(_ANSWER_TIMEOUT):
                await connection.send(self._request(method, path, query or {}, body, upgrade))
                head = await connection.reader.readuntil(b"\r\n\r\n")
                status = int(head.split(None, 2)[1])
                if status >= 400:
                    raise api_error(status, _message(await connection.reader.read(PIECE)))
        except (OSError, asyncio.IncompleteReadError, TimeoutError) as error:
            connection.close()
            raise unreachable(error) from error
        except BaseException:
            connection.close()
            raise
        return connection

    @asynccontextmanager
    async def opened(self, *args: Any, **options: Any) -> AsyncIterator[Connection]:
        """``open`` for the length of a block."""
        connection = await self.open(*args, **options)
        try:
            yield connection
        finally:
            connection.close()

    async def _connect(self) -> Connection:
        try:
            if self._address.path:
                pair = await asyncio.open_unix_connection(self._address.path, limit=PIECE)
            else:
                pair = await asyncio.open_connection(
                    self._address.host, self._address.port, limit=PIECE
                )
        except OSError as error:
            raise unreachable(error) from error
        return Connection(*pair)

    def _request(
        self,
        method: str,
        path: str,
        query: dict[str, str | int],
        body: dict[str, Any] | None,
        upgrade: bool,
    ) -> bytes:
        payload = b"" if body is None else json.dumps(body).encode()
        lines = [
            f"{method} /v{self._version}{path}?{urlencode(query)} HTTP/1.0",
            "Host: docker",
            "Content-Type: application/json",
            f"Content-Length: {len(payload)}",
        ]
        if upgrade:
            lines += ["Connection: Upgrade", "Upgrade: tcp"]
        return "\r\n".join([*lines, "", ""]).encode() + payload


def _message(body: bytes) -> str:
    with suppress(ValueError, KeyError, TypeError):
        return str(json.loads(body)["message"])
    return body.decode(errors="replace").strip()
