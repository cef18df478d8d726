"""A directory, and the process that a command becomes in it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import resource
import shutil
import subprocess
from collections.abc import AsyncIterator, Mapping
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO

from evalbox.domain.attempt import Usage
from evalbox.engines.base import Chunk, Exit, Launch, Profile, Stream
from evalbox.engines.process import archive, files, processes
from evalbox.errors import EngineError, EngineUnavailable, SandboxGone

PIECE = 64 * 1024
#: The most that a pipe holds; what comes on top after the end is written by a runaway.
_PIPE_LIMIT = 1 << 20
_WATCH_INTERVAL = 0.5
_KILLED = Exit(code=137, signal=9)


@dataclass(frozen=True, slots=True)
class _Running:
    pid: int
    pidfd: int
    pipes: Mapping[Stream, int]


class ProcessSandbox:
    def __init__(self, sandbox_id: str, directory: Path, profile: Profile, packer: Executor) -> None:
        self.id = sandbox_id
        self.directory = directory
        self.root = directory / "root"
        self._profile = profile
        self._packer = packer
        self._launch: Launch | None = None
        self._launching: asyncio.Task[None] | None = None
        self._running: _Running | None = None
        self._launched = asyncio.Event()
        self._exit: asyncio.Future[Exit] = asyncio.get_running_loop().create_future()
        self._finishing: asyncio.Task[None] | None = None
        self._watching: asyncio.Task[None] | None = None
        self._usage = Usage()
        self._exhausted = False
        self._destroyed = False

    async def prepare(self, launch: Launch) -> None:
        self._check()

    async def launch(self, launch: Launch) -> None:
        self._check()
        if self._launching is None and not self._exit.done():
            self._launch = launch
            self._launching = asyncio.create_task(self._start(launch))
        if self._launching is not None:
            # A launch that was begun is finished also when nobody waits for it any more.
            await asyncio.shield(self._launching)

    async def output(self, skip: Mapping[Stream, int] | None = None) -> AsyncIterator[Chunk]:
        left = dict(skip) if skip else {}
        await self._launched.wait()
        pipes = dict(self._running.pipes) if self._running else {}
        while pipes and not self._exit.done():
            await self._readable(pipes.values())
            for stream, pipe in list(pipes.items()):
                data = _read(pipe)
                if data == b"":
                    del pipes[stream]
                elif data and (rest := _skip(data, stream, left)):
                    yield Chunk(stream, rest)
        await asyncio.shield(self._exit)
        for stream, pipe in pipes.items():
            drained = 0
            while drained < _PIPE_LIMIT and (data := _read(pipe)):
                drained += len(data)
                if rest := _skip(data, stream, left):
                    yield Chunk(stream, rest)

    async def artifacts(self) -> AsyncIterator[bytes]:
        await asyncio.shield(self._exit)
        self._check()
        launch = self._launch
        if launch is None or not launch.artifacts:
            return
        reader, writer = os.pipe()
        os.set_blocking(reader, False)
        loop = asyncio.get_running_loop()
        packing = loop.run_in_executor(self._packer, self._pack, launch, writer)
        try:
            while data := await _next(reader):
                yield data
        finally:
            os.close(reader)
            # Without a reader the packer ends at its next write.
            await asyncio.shield(asyncio.gather(packing, return_exceptions=True))
        if (error := packing.exception()) is not None:
            raise EngineError(f"artifacts of {self.id}: {error}") from error

    async def wait(self) -> Exit:
        return await asyncio.shield(self._exit)

    async def usage(self) -> Usage | None:
        if self._destroyed:
            return None
        if self._running is not None and not self._exit.done():
            self._note(await asyncio.to_thread(self._measure))
        disk = await asyncio.to_thread(files.size, self.root)
        return replace(self._usage, disk=disk)

    async def kill(self) -> None:
        self._check()
        await self._end()

    async def destroy(self) -> None:
        self._destroyed = True
        await self._end()
        await asyncio.to_thread(files.remove, self.directory)

    # --- within ---

    def _check(self) -> None:
        if self._destroyed:
            raise SandboxGone(f"the sandbox {self.id} is gone")

    async def _start(self, launch: Launch) -> None:
        try:
            self._running = await asyncio.to_thread(self._spawn, launch)
        except (OSError, ValueError) as error:
            self._launching = None
            raise EngineError(f"{self.id}: not launched: {error}") from error
        loop = asyncio.get_running_loop()
        loop.add_reader(self._running.pidfd, self._ended)
        self._watching = asyncio.create_task(self._watch())
        self._launched.set()

    def _spawn(self, launch: Launch) -> _Running:
        workdir = files.beneath(self.root, launch.workdir)
        workdir.mkdir(parents=True, exist_ok=True)
        files.put(self.root, launch.workdir, launch.files)
        with contextlib.ExitStack() as stack:
            stdin: BinaryIO | int = subprocess.DEVNULL
            if launch.stdin is not None:
                stdin = stack.enter_context(launch.stdin.source.open("rb"))
            out_reader, out_writer = _pipe(stack)
            error_reader, error_writer = _pipe(stack)
            process = subprocess.Popen(
                [*self._limited(), *self._translated(launch)],
                cwd=workdir,
                env=self._environment(launch, workdir),
                stdin=stdin,
                stdout=out_writer,
                stderr=error_writer,
                start_new_session=True,
            )
            stack.pop_all()
        raise NotImplementedError
