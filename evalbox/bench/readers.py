"""Many readers of the feed in one process, as cheap as can be: they are not what is measured."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from evalbox.errors import EvalboxError
from evalbox.wire.moments import seconds

Kind = Literal["sse", "websocket"]

#: About how many of the readers look at the time of each event.
_TIMED = 100
#: Readers that connect at once.
_TOGETHER = 50
_CONNECT = 60.0
_EVENT = re.compile(rb'"seq":(\d+),"at":"([^"]+)"')
_LONGEST = 80
#: The frame of a ping with four bytes, and the head of its answer, masked with nothing.
_PING, _PONG = b"\x89\x04", b"\x8a\x84\x00\x00\x00\x00"
_PATHS = {"sse": "/api/v1/events/stream", "websocket": "/api/v1/feed"}
_UPGRADE = (
    "Connection: Upgrade\r\nUpgrade: websocket\r\n"
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==\r\n"
)


@dataclass(frozen=True, slots=True)
class Task:
    """Over TCP with a key where there is a ``port``, else over the ``socket``.

    ``after`` is where all begin, ``until`` the seconds since 1970 when they end.
    """

    kind: Kind
    count: int
    after: int
    until: float
    socket: str = ""
    port: int = 0
    key: str = ""


@dataclass(slots=True)
class Found:
    """``events`` is how many each reader got, ``lags`` seconds from commit to arrival."""

    events: list[int] = field(default_factory=list)
    disordered: int = 0
    lags: list[float] = field(default_factory=list)


class _Reader(asyncio.Protocol):
    def __init__(self, task: Task, found: Found, *, timed: bool) -> None:
        self._task = task
        self._found = found
        self._timed = timed
        self._left = b""
        self._seq = task.after
        self.count = 0
        self.opened: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.lost = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - of a stream
        self._transport = transport
        task = self._task
        upgrade = _UPGRADE if task.kind == "websocket" else ""
        key = f"Authorization: Bearer {task.key}\r\n" if task.key else ""
        transport.write(
            f"GET {_PATHS[task.kind]}?after={task.after} HTTP/1.1\r\n"
            f"Host: box\r\n{key}{upgrade}\r\n".encode()
        )

    def connection_lost(self, exc: Exception | None) -> None:
        self.lost = True
        if not self.opened.done():
            self.opened.set_exception(EvalboxError("the service closed the connection"))

    def data_received(self, data: bytes) -> None:
        now = time.time()
        if not self.opened.done():
            good = data.startswith((b"HTTP/1.1 200", b"HTTP/1.1 101"))
            self.opened.set_result(None) if good else self.opened.set_exception(
                EvalboxError(f"the feed was refused: {data[:200]!r}")
            )
        if self._task.kind == "websocket" and (at := data.find(_PING)) >= 0:
            self._transport.write(_PONG + data[at + 2 : at + 6])
        data = self._left + data
        end = 0
        for match in _EVENT.finditer(data):
            end = match.end()
            seq = int(match[1])
            self._found.disordered += seq != self._seq + 1
            self._seq = seq
            self.count += 1
            if self._timed:
                self._found.lags.append(now - seconds(match[2].decode()))
        self._left = data[end:][-_LONGEST:]


def follow(task: Task) -> Found:
    """To be run in a process of its own."""
    return asyncio.run(_follow(task))


async def _follow(task: Task) -> Found:
    found = Found()
    loop = asyncio.get_running_loop()
    readers: list[_Reader] = []

    async def connect(number: int) -> None:
        reader = _Reader(task, found, timed=number % max(1, task.count // _TIMED) == 0)
        readers.append(reader)
        if task.port:
            transport, _ = await loop.create_connection(lambda: reader, "127.0.0.1", task.port)
        else:
            transport, _ = await loop.create_unix_connection(lambda: reader, task.socket)
        transports.append(transport)
        await reader.opened

    transports: list[asyncio.BaseTransport] = []
    async with asyncio.timeout(_CONNECT):
        for start in range(0, task.count, _TOGETHER):
            numbers = range(start, min(start + _TOGETHER, task.count))
            await asyncio.gather(*(connect(number) for number in numbers))
    await asyncio.sleep(max(0.0, task.until - time.time()))
    if any(reader.lost for reader in readers):
        raise EvalboxError("the service closed the connection of a reader")
    found.events = [reader.count for reader in readers]
    for transport in transports:
        transport.close()
    return found


def percentile(values: Sequence[float], share: float) -> float:
    """The value that ``share`` of all are not above."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]
