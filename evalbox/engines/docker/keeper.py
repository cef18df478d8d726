"""Streams the kept paths out of a sandbox once its command has ended."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass

from evalbox.engines.base import Launch, Stream
from evalbox.engines.docker.archive import Owner
from evalbox.engines.docker.client import Client
from evalbox.engines.docker.faults import Refused
from evalbox.engines.docker.frames import Demultiplexer
from evalbox.engines.docker.script import READER, RELEASER
from evalbox.engines.docker.wire import Request
from evalbox.errors import SandboxGone

#: The job may kill the reader, which is a process beside it.
_TRIALS = 3
_NOTHING_KEPT = bytes(1024)


@dataclass(frozen=True, slots=True)
class Keeper:
    client: Client
    container: str
    owner: Owner

    async def stream(self, launch: Launch) -> AsyncIterator[bytes]:
        """An uncompressed tar; it just ends where the sandbox ends before."""
        reader = ["/bin/sh", "-c", READER, "sh", launch.workdir, *launch.artifacts]
        for _ in range(_TRIALS):
            began = False
            try:
                exec_id = await self._prepared(reader)
                async for data in self._printed(exec_id):
                    began = True
                    yield data
                finished = await self._status(exec_id) == 0
            except (SandboxGone, Refused):
                return
            if finished and not began:
                yield _NOTHING_KEPT
            if finished:
                return
            if began:
                break
        await self._release()

    async def run(self, command: list[str]) -> int | None:
        """The exit status of a command beside the job; None where the sandbox has ended."""
        try:
            exec_id = await self._prepared(command)
            async for _ in self._printed(exec_id):
                pass
            return await self._status(exec_id)
        except (SandboxGone, Refused):
            return None

    async def _release(self) -> None:
        await self.run(["/bin/sh", "-c", RELEASER])

    async def _prepared(self, command: list[str]) -> str:
        created = await self.client.call(
            lambda api: api.exec_create(
                self.container, command, stdout=True, stderr=False, user=str(self.owner)
            )
        )
        return str(created["Id"])

    async def _printed(self, exec_id: str) -> AsyncIterator[bytes]:
        request = Request(
            "POST", f"/exec/{exec_id}/start", body={"Detach": False, "Tty": False}, upgrade=True
        )
        frames = Demultiplexer()
        async with self.client.opened(request) as connection:
            async for piece in connection.pieces():
                for chunk in frames.feed(piece):
                    if chunk.stream is Stream.STDOUT:
                        yield chunk.data

    async def _status(self, exec_id: str) -> int | None:
        found = await self.client.call(lambda api: api.exec_inspect(exec_id))
        return None if found["ExitCode"] is None else int(found["ExitCode"])
