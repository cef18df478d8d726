"""The least that is needed to ask a service over HTTP: the client is not what is measured."""

from __future__ import annotations

import asyncio
import json
from typing import Any, Self


class Connection:
    """One connection that is kept, for one request at a time."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    @classmethod
    async def open(cls, socket: str) -> Self:
        return cls(*await asyncio.open_unix_connection(socket, limit=1 << 24))

    async def request(self, method: str, target: str, body: Any = None) -> tuple[int, bytes]:
        """The status and the content of the answer."""
        content = b"" if body is None else json.dumps(body).encode()
        kind = "Content-Type: application/json\r\n" if content else ""
        self._writer.write(
            f"{method} {target} HTTP/1.1\r\nHost: box\r\n{kind}"
            f"Content-Length: {len(content)}\r\n\r\n".encode()
            + content
        )
        head = (await self._reader.readuntil(b"\r\n\r\n")).lower()
        status = int(head[9:12])
        if b"transfer-encoding: chunked" in head:
            return status, await self._chunks()
        length = int(head.partition(b"content-length: ")[2].partition(b"\r\n")[0] or 0)
        return status, await self._reader.readexactly(length)

    async def _chunks(self) -> bytes:
        found = bytearray()
        while True:
            size = int(await self._reader.readuntil(b"\r\n"), 16)
            data = await self._reader.readexactly(size + 2)
            if not size:
                return bytes(found)
            found += data[:-2]

    async def close(self) -> None:
        self._writer.close()
        await self._writer.wait_closed()
