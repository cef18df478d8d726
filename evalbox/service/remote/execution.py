"""A program in a sandbox of a box elsewhere: ``api/conversation.py`` says what is spoken."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

from evalbox.domain.sandbox import ExecEnd, ExecPiece, ExecSpec
from evalbox.errors import ServiceUnreachable
from evalbox.service.remote.client import Dial
from evalbox.service.remote.sockets import open_socket
from evalbox.wire import sandboxes as wire
from evalbox.wire.problem import error_from

#: Bytes that are sent at once, and at most beyond what the program has taken.
_PIECE, _WINDOW = 256 << 10, 1 << 20


class RemoteExec:
    """Implements ``SandboxExec``. Made by ``begin``."""

    def __init__(self, connection: ClientConnection, where: str) -> None:
        self._connection = connection
        self._where = where
        self._end: ExecEnd | None = None
        self._sent = self._taken = 0
        self._room = asyncio.Event()
        self._pieces: asyncio.Queue[ExecPiece | BaseException | None] = asyncio.Queue(maxsize=64)
        self._hearing: asyncio.Task[None] | None = None

    @classmethod
    async def begin(cls, dial: Dial, path: str, spec: ExecSpec) -> RemoteExec:
        """Raises what the box raises where it cannot be started."""
        connection = await open_socket(dial, path)
        running = cls(connection, dial.where)
        try:
            start = {
                **wire.program(spec),
                "stdin": spec.stdin,
                "tty": spec.tty,
                "rows": spec.rows,
                "cols": spec.cols,
            }
            await running._say(start)
            await running._heard()
        except BaseException:
            await connection.close()
            raise
        running._hearing = asyncio.create_task(running._hear(), name="exec-hear")
        return running

    async def output(self) -> AsyncIterator[ExecPiece]:
        while (piece := await self._pieces.get()) is not None:
            if isinstance(piece, BaseException):
                raise piece
            yield piece

    async def write(self, data: bytes) -> None:
        for start in range(0, len(data), _PIECE):
            piece = data[start : start + _PIECE]
            while self._sent + len(piece) > self._taken + _WINDOW and not self._over:
                self._room.clear()
                await self._room.wait()
            self._sent += len(piece)
            await self._send(piece)

    async def close_stdin(self) -> None:
        await self._say({"type": "eof"})

    async def resize(self, rows: int, cols: int) -> None:
        await self._say({"type": "resize", "rows": rows, "cols": cols})

    async def kill(self) -> None:
        await self._say({"type": "kill"})

    async def wait(self) -> ExecEnd:
        if self._end is None:
            async for _ in self.output():
                pass
        if self._end is None:
            raise self._gone()
        return self._end

    async def close(self) -> None:
        if self._hearing is not None:
            self._hearing.cancel()
            await asyncio.gather(self._hearing, return_exceptions=True)
        await self._connection.close()

    @property
    def _over(self) -> bool:
        return self._hearing is not None and self._hearing.done()

    async def _hear(self) -> None:
        try:
            while self._end is None:
                piece = await self._heard()
                if piece is not None:
                    await self._pieces.put(piece)
            await self._pieces.put(None)
        except Exception as error:
            await self._pieces.put(error)
        finally:
            self._room.set()

    async def _heard(self) -> ExecPiece | None:
        """The next message: a piece of output, or what else is said, which is heeded."""
        try:
            message = await self._connection.recv()
        except ConnectionClosed as error:
            raise self._gone() from error
        if isinstance(message, bytes):
            return ExecPiece(message[0], message[1:])
        said: dict[str, Any] = json.loads(message)
        match said["type"]:
            case "exit":
                self._end = ExecEnd(said["exit_code"], said["timed_out"], said["duration"])
            case "taken":
                self._taken = said["bytes"]
                self._room.set()
            case "error":
                raise error_from(said["problem"])
        return None

    async def _say(self, said: dict[str, Any]) -> None:
        await self._send(json.dumps(said))

    async def _send(self, message: str | bytes) -> None:
        # Whoever reads the output learns why.
        try:
            await self._connection.send(message)
        except ConnectionClosed:
            return

    def _gone(self) -> ServiceUnreachable:
        return ServiceUnreachable(
            f"the box at {self._where} went away", hint="its sandboxes live on: ask again"
        )
