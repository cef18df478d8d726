"""Streams the kept paths out of a sandbox once its command has ended."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

from evalbox.engines.base import Launch, Stream
from evalbox.engines.docker.archive import Owner
from evalbox.engines.docker.client import Client
from evalbox.engines.docker.faults import Refused
from evalbox.engines.docker.frames import Demultiplexer
from evalbox.engines.docker.script import READER, RELEASER, TAR_FOLLOWS
from evalbox.engines.docker.wire import Request
from evalbox.errors import SandboxGone

#: The job may kill the reader, which is a process beside it.
_TRIALS = 3
_FIRST_WORDS = TAR_FOLLOWS.encode() + b"\n"


@dataclass(frozen=True, slots=True)
class Keeper:
    """``ended`` gives a future that is done once the sandbox has ended."""

    client: Client
    container: str
    owner: Owner
    ended: Callable[[], asyncio.Future[Any]]

    async def stream(self, launch: Launch) -> AsyncGenerator[bytes, None]:
        """An uncompressed tar; it just ends where the sandbox ends before."""
        reader = ["/bin/sh", "-c", READER, "sh", launch.workdir, *launch.artifacts]
        for _ in range(_TRIALS):
            length = 0
            try:
                exec_id = await self._prepared(reader)
                async with aclosing(self._tar(exec_id)) as tar:
                    async for data in tar:
                        length += len(data)
                        yield data
                finished = await self._status(exec_id) == 0
            except (SandboxGone, Refused):
                return
            if finished or self.ended().done():
                return
            if length:
                break
        await self.run(["/bin/sh", "-c", RELEASER])

    async def run(self, command: list[str]) -> int | None:
        """The exit status of a command beside the job; None where the sandbox has ended."""
        try:
            exec_id = await self._prepared(command)
            async for _ in self._printed(exec_id):
                pass
            return await self._status(exec_id)
        except (SandboxGone, Refused):
            return None

    async def _prepared(self, command: list[str]) -> str:
        created = await self.client.call(
            lambda api: api.exec_create(
                self.container, command, stdout=True, stderr=False, user=str(self.owner)
            )
        )
        return str(created["Id"])

    async def _tar(self, exec_id: str) -> AsyncGenerator[bytes, None]:
        """What follows the reader's first words; nothing where they are not the reader's."""
        head = b""
        async with aclosing(self._printed(exec_id)) as printed:
            async for data in printed:
                if len(head) == len(_FIRST_WORDS):
                    yield data
                    continue
                head += data
                if not _FIRST_WORDS.startswith(head[: len(_FIRST_WORDS)]):
                    return
                if rest := head[len(_FIRST_WORDS) :]:
                    yield rest
                head = head[: len(_FIRST_WORDS)]

    async def _printed(self, exec_id: str) -> AsyncGenerator[bytes, None]:
        request = Request(
            "POST", f"/exec/{exec_id}/start", body={"Detach": False, "Tty": False}, upgrade=True
        )
        frames = Demultiplexer()
        async with self.client.opened(request) as connection:
            async for piece in connection.pieces(self.ended()):
                for chunk in frames.feed(piece):
                    if chunk.stream is Stream.STDOUT:
                        yield chunk.data

    async def _status(self, exec_id: str) -> int | None:
        found = await self.client.call(lambda api: api.exec_inspect(exec_id))
        return None if found["ExitCode"] is None else int(found["ExitCode"])
