"""A directory, and the process that a command becomes in it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import weakref
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from concurrent.futures import Executor
from dataclasses import replace
from pathlib import Path
from typing import Any

from evalbox.domain.attempt import Usage
from evalbox.engines.base import Chunk, Exit, Launch, Profile, Stream
from evalbox.engines.execution import Exec, Execution
from evalbox.engines.files import Files
from evalbox.engines.process import archive, execution, files, processes
from evalbox.engines.process.job import PIECE, Job, readable, spawn
from evalbox.errors import EngineError, InvalidInput, SandboxGone

#: The most that a pipe holds. What still comes after that is written by something that got away.
_PIPE_SIZE = 1 << 20
_WATCH_FIRST, _WATCH_INTERVAL = 0.05, 0.5
_KILLED = Exit(code=137, signal=9)
_EXHAUSTED = Exit(
    code=137, signal=9, oom_killed=True,
    error="its processes together used more memory than the limit",
)  # fmt: skip


class ProcessSandbox:
    """``on_destroyed`` is called once it is gone; ``packer`` runs what blocks for long."""

    def __init__(
        self,
        sandbox_id: str,
        directory: Path,
        profile: Profile,
        packer: Executor,
        on_destroyed: Callable[[str], None],
    ) -> None:
        self._id = sandbox_id
        self._directory = directory
        self._root = directory / "root"
        self._profile = profile
        self._packer = packer
        self._on_destroyed = on_destroyed
        self._launch: Launch | None = None
        self._starting: asyncio.Task[None] | None = None
        self._job: Job | None = None
        self._begun = asyncio.Event()
        self._exit: asyncio.Future[Exit] = asyncio.get_running_loop().create_future()
        self._tasks: set[asyncio.Task[None]] = set()
        self._executions: weakref.WeakSet[execution.ProcessExecution] = weakref.WeakSet()
        self._usage = Usage()
        self._exhausted = False
        self._destroyed = False

    @property
    def id(self) -> str:
        return self._id

    @property
    def running(self) -> bool:
        return not self._exit.done()

    async def prepare(self, launch: Launch) -> None:
        self._check()

    async def launch(self, launch: Launch) -> None:
        self._check()
        if self._starting is None and self.running:
            self._launch = launch
            self._starting = self._own(self._start(launch))
        if self._starting is not None:
            # A launch that was begun is finished also when nobody waits for it any more.
            await asyncio.shield(self._starting)

    async def output(self, skip: Mapping[Stream, int] | None = None) -> AsyncIterator[Chunk]:
        left = dict(skip) if skip else {}
        await self._begun.wait()
        job = self._job
        if job is None:
            return
        while job.pipes and not self._exit.done():
            await readable(job.pipes.values(), self._exit)
            for chunk in _after(job.take(), left):
                yield chunk
        await asyncio.shield(self._exit)
        for _ in range(_PIPE_SIZE // PIECE):
            for chunk in _after(chunks := job.take(), left):
                yield chunk
            if not chunks:
                return

    async def artifacts(self) -> AsyncIterator[bytes]:
        await asyncio.shield(self._exit)
        self._check()
        launch = self._launch
        if launch is None or not launch.artifacts:
            return
        packed = archive.stream(self._packer, self._root, launch.workdir, launch.artifacts)
        async with contextlib.aclosing(packed) as pieces:
            async for piece in pieces:
                yield piece

    async def wait(self) -> Exit:
        return await asyncio.shield(self._exit)

    async def usage(self) -> Usage | None:
        if self._destroyed:
            return None
        await self._measure()
        return replace(self._usage, disk=await asyncio.to_thread(files.size, self._root))

    async def exec(self, program: Exec) -> Execution:
        program.check()
        self._check()
        if not self.running:
            raise SandboxGone(f"the sandbox {self.id} has ended")
        if program.user is not None:
            raise InvalidInput(
                "the process engine runs everything as the user that runs evalbox",
                hint="leave the user out, or use --engine gvisor",
                field="user",
            )
        workdir = files.beneath(self._root, program.workdir or self._profile.workdir)
        if not program.workdir:
            await asyncio.to_thread(workdir.mkdir, parents=True, exist_ok=True)
        environment = self._environment(program.env, workdir)
        limits = self._profile.limits
        try:
            made = await asyncio.to_thread(
                execution.start, program, cwd=workdir, env=environment, limits=limits
            )
        except OSError as error:
            raise EngineError(f"{self.id}: not started: {error}") from error
        started = execution.ProcessExecution(*made)
        self._executions.add(started)
        return started

    @property
    def files(self) -> Files:
        return Files(self.exec, self._finished, lambda path: str(files.beneath(self._root, path)))

    async def kill(self) -> None:
        await self._end()

    async def destroy(self) -> None:
        self._destroyed = True
        await self._end()
        await self.detach()
        await asyncio.to_thread(files.remove, self._directory)
        self._on_destroyed(self.id)

    async def detach(self) -> None:
        """Lets go of everything but the process and its directory."""
        if self._starting is not None:
            await asyncio.wait({self._starting})
        for one in list(self._executions):
            one.let_go()
        if self._job is not None and self._job.pidfd >= 0:
            asyncio.get_running_loop().remove_reader(self._job.pidfd)
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._job is not None:
            self._job.close()

    # --- within ---

    def _check(self) -> None:
        if self._destroyed:
            raise SandboxGone(f"the sandbox {self.id} is gone")

    def _own(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _start(self, launch: Launch) -> None:
        try:
            job = await asyncio.to_thread(self._spawn, launch)
        except OSError as error:
            self._starting = None
            raise EngineError(f"{self.id}: not launched: {error}") from error
        except ValueError as error:
            self._starting = None
            raise InvalidInput(f"what is to be launched cannot be: {error}") from error
        self._job = job
        self._begun.set()
        asyncio.get_running_loop().add_reader(job.pidfd, self._on_end, job)
        self._own(self._watch())

    def _spawn(self, launch: Launch) -> Job:
        if not launch.command:
            raise ValueError("there is no command")
        workdir = files.beneath(self._root, launch.workdir)
        workdir.mkdir(parents=True, exist_ok=True)
        files.put(self._root, launch.workdir, launch.files)
        known = {file.path for file in launch.files} | {launch.workdir}
        return spawn(
            [
                str(files.beneath(self._root, word)) if word in known else word
                for word in launch.command
            ],
            cwd=workdir,
            env=self._environment(launch.env, workdir),
            stdin=launch.stdin.source if launch.stdin else None,
            limits=self._profile.limits,
        )

    async def _finished(self, work: Coroutine[Any, Any, None]) -> None:
        await asyncio.shield(self._own(work))

    def _environment(self, given: Mapping[str, str], workdir: Path) -> dict[str, str]:
        return {
            "PATH": os.environ.get("PATH", os.defpath),
            "HOME": str(workdir),
            "LANG": "C.UTF-8",
            "TMPDIR": str(self._root / "tmp"),
            "EVALBOX_ROOT": str(self._root),
            **given,
            processes.MARK: self.id,
        }

    def _on_end(self, job: Job) -> None:
        asyncio.get_running_loop().remove_reader(job.pidfd)
        self._own(self._finish(job))

    async def _finish(self, job: Job) -> None:
        # Until it is waited for, its number, which is its session's as well, is not given away.
        await self._kill_all()
        how, cpu_seconds = job.collect()
        spent = max(self._usage.cpu_seconds, cpu_seconds)
        self._usage = replace(self._usage, cpu_seconds=spent, memory=0, pids=0)
        self._exit.set_result(_EXHAUSTED if self._exhausted and how.signal else how)

    async def _end(self) -> None:
        if self._starting is not None:
            await asyncio.wait({self._starting})
        if self._job is None:
            self._begun.set()
            if not self._exit.done():
                self._exit.set_result(_KILLED)
        elif not self._exit.done():
            await self._kill_all()
            await asyncio.shield(self._exit)

    async def _kill_all(self) -> None:
        session = self._job.pid if self._job else None
        await asyncio.to_thread(processes.kill_all, self.id, session)

    async def _watch(self) -> None:
        pause, limit = _WATCH_FIRST, self._profile.limits.memory
        while self.running:
            await asyncio.sleep(pause)
            pause = min(_WATCH_INTERVAL, pause * 2)
            if await self._measure() > limit and self.running:
                self._exhausted = True
                await self._kill_all()

    async def _measure(self) -> int:
        """Notes the usage; the memory in use at this moment."""
        job = self._job
        if job is None or not self.running:
            return 0
        limit = self._profile.limits.memory
        now = await asyncio.to_thread(processes.measure, self.id, job.pid, limit)
        if self.running:
            before = self._usage
            self._usage = replace(
                now,
                cpu_seconds=max(before.cpu_seconds, now.cpu_seconds),
                memory_peak=max(before.memory_peak, now.memory_peak),
                read_bytes=max(before.read_bytes, now.read_bytes),
                written_bytes=max(before.written_bytes, now.written_bytes),
            )
        return now.memory


def _after(chunks: list[Chunk], left: dict[Stream, int]) -> list[Chunk]:
    """The chunks less what is ``left`` to be skipped of each stream."""
    rest = []
    for chunk in chunks:
        cut = min(left.get(chunk.stream, 0), len(chunk.data))
        if cut:
            left[chunk.stream] -= cut
        if cut < len(chunk.data):
            rest.append(Chunk(chunk.stream, chunk.data[cut:]))
    return rest
