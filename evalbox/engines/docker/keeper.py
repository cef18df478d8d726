"""Streams the kept paths out of a sandbox once its command has ended."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

from evalbox.engines.base import Launch, Stream
from evalbox.engines.docker.archive import Owner
from evalbox.engines.docker.client import Client
from evalbox.engines.docker.faults import Refused
from evalbox.engines.docker.frames import Demultiplexer
from evalbox.engines.docker.script import READER, RELEASER
from evalbox.engines.docker.wire import Connection, Request
from evalbox.errors import SandboxGone

#: The job may kill the reader, which is a process beside it.
_TRIALS = 3
#: Seconds of silence that end the stream of a reader whose sandbox has ended: one that was not lost
#: waits for us, so that nothing is to be expected.
_SILENCE = 0.25


class Envelope:
    """Takes a stream out from between two lines of ``mark``.

    ``alien``: it did not begin with the mark, and is somebody else's.
    """

    def __init__(self, mark: bytes) -> None:
        self._mark = mark
        self._held = b""
        self.opened = False
        self.closed = False
        self.alien = False

    def feed(self, data: bytes) -> bytes:
        """What of ``data`` lies within; what may belong to the closing mark is held back."""
        self._held += data
        if not self.opened:
            start = self._held[: len(self._mark)]
            if start != self._mark:
                self.closed = self.alien = not self._mark.startswith(start)
                return b""
            self.opened = True
            self._held = self._held[len(self._mark) :]
        self.closed = self._held.endswith(self._mark)
        end = max(len(self._held) - len(self._mark), 0)
        inside, self._held = self._held[:end], self._held[end:]
        return inside


@dataclass(frozen=True, slots=True)
class Keeper:
    """``ended`` gives a future that is done once the sandbox has ended."""

    client: Client
    container: str
    owner: Owner
    ended: Callable[[], asyncio.Future[Any]]

    async def stream(self, launch: Launch) -> AsyncGenerator[bytes, None]:
        """An uncompressed tar; it just ends where the sandbox ends before."""
        for _ in range(_TRIALS):
            nonce = secrets.token_hex(16)
            envelope = Envelope(nonce.encode() + b"\n")
            wanted = str(launch.artifact_bytes)
            reader = ["/bin/sh", "-c", READER, "sh", nonce, wanted]
            command = [*reader, launch.workdir, *launch.artifacts]
            try:
                async with aclosing(self._enclosed(command, envelope)) as pieces:
                    async for data in pieces:
                        yield data
            except (SandboxGone, Refused):
                return
            if self.ended().done() or (envelope.closed and not envelope.alien):
                return
            if envelope.opened:
                break
        await self._release()

    async def test(self, condition: str) -> bool | None:
        """Whether a condition of the shell holds beside the job; None once the job has ended."""
        try:
            exec_id = await self._prepared(["/bin/sh", "-c", condition])
            async with aclosing(self._printed(await self._started(exec_id))) as printed:
                async for _ in printed:
                    pass
            found = await self.client.call(lambda api: api.exec_inspect(exec_id))
        except (SandboxGone, Refused):
            return None
        return {0: True, 1: False}.get(found["ExitCode"])

    async def _enclosed(
        self, command: list[str], envelope: Envelope
    ) -> AsyncGenerator[bytes, None]:
        connection = await self._started(await self._prepared(command))
        async with aclosing(self._printed(connection)) as printed:
            async for data in printed:
                if inside := envelope.feed(data):
                    yield inside
                if envelope.closed:
                    if not envelope.alien:
                        await connection.send(b"everything has arrived\n")
                    return

    async def _release(self) -> None:
        """Lets the sandbox end, where the reader was lost."""
        try:
            exec_id = await self._prepared(["/bin/sh", "-c", RELEASER])
            # Detached: gVisor may never tell the end of what ends together with the sandbox.
            await self.client.call(lambda api: api.exec_start(exec_id, detach=True))
        except (SandboxGone, Refused):
            return

    async def _prepared(self, command: list[str]) -> str:
        created = await self.client.call(
            lambda api: api.exec_create(
                self.container, command, stdin=True, stdout=True, stderr=False, user=str(self.owner)
            )
        )
        return str(created["Id"])

    async def _started(self, exec_id: str) -> Connection:
        body = {"Detach": False, "Tty": False}
        return await self.client.open(
            Request("POST", f"/exec/{exec_id}/start", body=body, upgrade=True)
        )

    async def _printed(self, connection: Connection) -> AsyncGenerator[bytes, None]:
        frames = Demultiplexer()
        try:
            async for piece in connection.pieces(self.ended(), patience=_SILENCE):
                for chunk in frames.feed(piece):
                    if chunk.stream is Stream.STDOUT:
                        yield chunk.data
        finally:
            connection.close()
