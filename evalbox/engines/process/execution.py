"""A program beside a sandbox's main process: a process like it, in a session of its own."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import secrets
import struct
import subprocess
import termios
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path

from evalbox.domain.limits import Limits
from evalbox.engines.base import Chunk, Stream
from evalbox.engines.environment import with_odd_variables
from evalbox.engines.execution import KILLED, MARK, Exec
from evalbox.engines.process import processes
from evalbox.engines.process.job import PIECE, Job, limited, readable
from evalbox.errors import EngineError

#: The most that a pipe holds. What still comes after that is written by something that got away.
_PIPE_SIZE = 1 << 20
#: A terminal that is opened by the leader of a session becomes the session's.
_STARTER = 'cd -- "$1" || exit 126; shift; exec "$@"'
_ON_TERMINAL = ': <"$1"; shift; exec "$@"'


class ProcessExecution:
    def __init__(self, job: Job, mark: str, stdin: int | None, terminal: int | None) -> None:
        self._job = job
        self._mark = mark
        self._stdin = stdin
        self._terminal = terminal
        self._ended: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._closed = False
        asyncio.get_running_loop().add_reader(job.pidfd, self._on_end)

    async def output(self) -> AsyncIterator[Chunk]:
        job = self._job
        while job.pipes and not self._ended.done():
            await readable(job.pipes.values(), self._ended)
            for chunk in job.take():
                yield chunk
        await asyncio.shield(self._ended)
        for _ in range(_PIPE_SIZE // PIECE):
            chunks = job.take()
            for chunk in chunks:
                yield chunk
            if not chunks:
                return

    async def write(self, data: bytes) -> None:
        view = memoryview(data)
        while view and self._stdin is not None and not self._ended.done():
            try:
                view = view[os.write(self._stdin, view) :]
            except BlockingIOError:
                await self._writable(self._stdin)
            except OSError:
                return

    async def close_stdin(self) -> None:
        if self._terminal is not None:
            await self.write(b"\x04")
        elif self._stdin is not None:
            os.close(self._stdin)
            self._stdin = None

    async def resize(self, rows: int, cols: int) -> None:
        if self._terminal is not None and not self._closed:
            set_size(self._terminal, rows, cols)

    async def wait(self) -> int:
        return await asyncio.shield(self._ended)

    async def kill(self) -> None:
        # The number of what has ended may be another's by now.
        session = None if self._ended.done() else self._job.pid
        if not await asyncio.to_thread(processes.kill_all, self._mark, session, MARK):
            raise EngineError("a program in the sandbox could not be killed")
        await asyncio.shield(self._ended)

    async def close(self) -> None:
        if self._closed:
            return
        try:
            if not self._ended.done():
                await asyncio.shield(self.kill())
        finally:
            self.let_go()

    def let_go(self) -> None:
        """Hears nothing more of it; it may live on."""
        self._closed = True
        if self._stdin is not None:
            os.close(self._stdin)
        self._stdin = self._terminal = None
        if self._job.pidfd >= 0:
            asyncio.get_running_loop().remove_reader(self._job.pidfd)
        self._job.close()

    def _on_end(self) -> None:
        asyncio.get_running_loop().remove_reader(self._job.pidfd)
        how, _ = self._job.collect()
        self._ended.set_result(KILLED if how.code is None else how.code)

    async def _writable(self, descriptor: int) -> None:
        loop = asyncio.get_running_loop()
        ready = loop.create_future()

        def wake(*_: object) -> None:
            if not ready.done():
                ready.set_result(None)

        loop.add_writer(descriptor, wake)
        self._ended.add_done_callback(wake)
        try:
            await ready
        finally:
            self._ended.remove_done_callback(wake)
            loop.remove_writer(descriptor)


def start(
    program: Exec, *, cwd: Path, env: Mapping[str, str], limits: Limits
) -> tuple[Job, str, int | None, int | None]:
    """What a ``ProcessExecution`` is made of. Blocks for a few milliseconds. Raises ``OSError``."""
    mark = secrets.token_hex(16)
    command = with_odd_variables(program.command, program.env)
    words = [*limited(limits), "/bin/sh", "-c", _STARTER, "sh", str(cwd), *command]
    environment = {**env, MARK: mark}
    if program.tty:
        job, terminal = _on_terminal(program, words, environment)
        return job, mark, terminal, terminal
    with contextlib.ExitStack() as ours, contextlib.ExitStack() as theirs:
        ends = {}
        pipes = {}
        for stream in Stream:
            pipes[stream], ends[stream] = os.pipe()
            os.set_blocking(pipes[stream], False)
            ours.callback(os.close, pipes[stream])
            theirs.callback(os.close, ends[stream])
        stdin: int | None = None
        source = subprocess.DEVNULL
        if program.stdin:
            source, stdin = os.pipe()
            os.set_blocking(stdin, False)
            ours.callback(os.close, stdin)
            theirs.callback(os.close, source)
        process = subprocess.Popen(
            words,
            cwd="/",
            env=environment,
            stdin=source,
            stdout=ends[Stream.STDOUT],
            stderr=ends[Stream.STDERR],
            start_new_session=True,
        )
        ours.pop_all()
        return Job(process, os.pidfd_open(process.pid), pipes), mark, stdin, None


def set_size(terminal: int, rows: int, cols: int) -> None:
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", rows, cols, 0, 0))


def _on_terminal(program: Exec, words: Sequence[str], env: Mapping[str, str]) -> tuple[Job, int]:
    terminal, other = os.openpty()
    with contextlib.ExitStack() as ours, contextlib.ExitStack() as theirs:
        ours.callback(os.close, terminal)
        theirs.callback(os.close, other)
        set_size(terminal, program.rows, program.cols)
        os.set_blocking(terminal, False)
        process = subprocess.Popen(
            ["/bin/sh", "-c", _ON_TERMINAL, "sh", os.ttyname(other), *words],
            cwd="/",
            env=env,
            stdin=other,
            stdout=other,
            stderr=other,
            start_new_session=True,
        )
        reading = os.dup(terminal)
        ours.pop_all()
        return Job(process, os.pidfd_open(process.pid), {Stream.STDOUT: reading}), terminal
