"""A program beside a container's main process, on its way."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Coroutine
from contextlib import suppress
from typing import Any, Protocol

from evalbox.engines.base import Chunk, Stream
from evalbox.engines.docker.frames import Demultiplexer
from evalbox.engines.docker.trailer import Trailer
from evalbox.engines.docker.wire import Connection
from evalbox.engines.execution import KILLED
from evalbox.errors import EngineError, EvalboxError, SandboxGone

_GREETING_LIMIT = 4096
#: Bytes that are read of one stream while the other's end has not come.
_LAST_BYTES = 4 << 20
#: Seconds of silence after which nothing more is expected of what was killed.
_LAST_WORDS = 0.2


class Handle(Protocol):
    """What can be done with an execution from outside."""

    def ended(self) -> asyncio.Future[Any]:
        """Done once the whole sandbox has ended."""
        ...

    async def status(self) -> int: ...

    async def kill(self, leader: str) -> None: ...

    async def resize(self, rows: int, cols: int) -> None: ...

    def finish(self, work: Coroutine[Any, Any, None]) -> Awaitable[None]: ...


class Input:
    """The way in of a two-way stream.

    Apart from the way out: an engine that no longer takes in hangs up, and an error of asyncio's
    writer would lose what is still to be read.
    """

    def __init__(self, connection: Connection) -> None:
        self._socket = connection.writer.get_extra_info("socket").dup()
        self._socket.setblocking(False)

    async def write(self, data: bytes) -> None:
        # Nobody reads what is written to a program that has ended.
        with suppress(OSError):
            await asyncio.get_running_loop().sock_sendall(self._socket, data)

    def end(self) -> None:
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        self._socket.close()


class DockerExecution:
    """``nonce`` is what the starter says first; its last line begins with ``mark``.

    Whoever reads the output to its end, or kills, learns how it ended.
    """

    def __init__(
        self, handle: Handle, connection: Connection, nonce: str, mark: bytes, *, tty: bool
    ) -> None:
        self._handle = handle
        self._connection = connection
        self._input = Input(connection)
        self._nonce = nonce
        self._tty = tty
        self._frames = Demultiplexer()
        self._trailers = {
            stream: Trailer(mark) for stream in Stream if not tty or stream is Stream.STDOUT
        }
        self._early: list[Chunk] = []
        self._leader = ""
        self._status: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._closed = False

    async def greet(self) -> None:
        """Reads what the starter says before it becomes the program."""
        said = b""
        pieces = self._connection.pieces(self._handle.ended())
        while b"\n" not in said and len(said) < _GREETING_LIMIT:
            piece = await anext(pieces, None)
            if piece is None:
                break
            for chunk in self._chunks(piece):
                if chunk.stream is Stream.STDOUT:
                    said += chunk.data
                else:
                    self._early.append(chunk)
        line, _, rest = said.partition(b"\n")
        nonce, _, leader = line.decode(errors="replace").strip().partition(" ")
        if nonce != self._nonce or not leader.isdecimal():
            raise self._refusal(said)
        self._leader = leader
        if rest:
            self._early.append(Chunk(Stream.STDOUT, rest))

    async def output(self) -> AsyncIterator[Chunk]:
        for chunk in self._early:
            if data := self._trailers[chunk.stream].feed(chunk.data):
                yield Chunk(chunk.stream, data)
        self._early.clear()
        left = _LAST_BYTES
        if not self._over():
            ending = self._ending()
            async for piece in self._connection.pieces(ending, patience=_LAST_WORDS):
                for chunk in self._chunks(piece):
                    if data := self._trailers[chunk.stream].feed(chunk.data):
                        yield Chunk(chunk.stream, data)
                        left -= len(data) if self._told() is not None else 0
                if self._over() or left <= 0:
                    break
        for stream, trailer in self._trailers.items():
            if data := trailer.rest():
                yield Chunk(stream, data)
        await self._conclude()

    async def write(self, data: bytes) -> None:
        if not self._closed:
            await self._input.write(data)

    async def close_stdin(self) -> None:
        if self._tty:
            await self.write(b"\x04")
        elif not self._closed:
            self._input.end()

    async def resize(self, rows: int, cols: int) -> None:
        if self._tty and not self._status.done():
            await self._handle.resize(rows, cols)

    async def wait(self) -> int:
        await asyncio.wait((self._ending(),))
        # Whoever reads the output may still be about to learn it.
        await asyncio.wait((self._status,), timeout=_LAST_WORDS)
        if not self._status.done():
            raise SandboxGone("the sandbox ended while a program ran in it")
        return self._status.result()

    async def kill(self) -> None:
        await self._handle.finish(self._kill())

    async def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        try:
            if not self._status.done():
                with suppress(SandboxGone):
                    await self.kill()
        finally:
            self.hang_up()

    def hang_up(self) -> None:
        self._input.close()
        self._connection.close()

    async def _kill(self) -> None:
        await self._handle.kill(self._leader)
        if not self._status.done():
            told = self._told()
            self._status.set_result(KILLED if told is None else told)

    async def _conclude(self) -> None:
        if self._status.done():
            return
        status = self._told()
        if status is None:
            # The starter was killed: the engine knows how, unless that was our doing.
            asking = asyncio.ensure_future(self._handle.status())
            try:
                await asyncio.wait((asking, self._status), return_when=asyncio.FIRST_COMPLETED)
                if self._status.done():
                    return
                status = asking.result()
            except EvalboxError as error:
                self._fail(error)
                return
            finally:
                asking.cancel()
                await asyncio.gather(asking, return_exceptions=True)
        if not self._status.done():
            self._status.set_result(status)

    def _fail(self, error: EvalboxError) -> None:
        if not self._status.done():
            self._status.set_exception(error)
            # Whoever waits is told; that nobody does is no surprise.
            self._status.exception()

    def _told(self) -> int | None:
        """The exit status, where one of the streams has told it."""
        told = (trailer.status for trailer in self._trailers.values())
        return next((status for status in told if status is not None), None)

    def _over(self) -> bool:
        return all(trailer.status is not None for trailer in self._trailers.values())

    def _ending(self) -> asyncio.Future[Any]:
        """Done once nothing more is to be expected of the stream."""
        return self._status if self._status.done() else _either(self._status, self._handle.ended())

    def _chunks(self, piece: bytes) -> list[Chunk]:
        return [Chunk(Stream.STDOUT, piece)] if self._tty else list(self._frames.feed(piece))

    def _refusal(self, said: bytes) -> EngineError:
        if self._handle.ended().done():
            return SandboxGone("the sandbox has ended")
        errors = b"".join(chunk.data for chunk in self._early)
        text = (said + errors)[:_GREETING_LIMIT].decode(errors="replace").strip()
        return EngineError(f"no program could be started in the sandbox: {text or 'no answer'}")


def _either(*futures: asyncio.Future[Any]) -> asyncio.Future[Any]:
    """Done once one of them is."""
    first: asyncio.Future[Any] = asyncio.get_running_loop().create_future()

    def tell(_: asyncio.Future[Any]) -> None:
        if not first.done():
            first.set_result(None)

    for future in futures:
        future.add_done_callback(tell)
    first.add_done_callback(lambda _: [future.remove_done_callback(tell) for future in futures])
    return first
