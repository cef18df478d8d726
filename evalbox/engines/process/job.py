"""A command on its way: started, read from, waited for."""

from __future__ import annotations

import asyncio
import contextlib
import os
import resource
import shutil
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evalbox.domain.limits import MIB, Limits
from evalbox.engines.base import Chunk, Exit, Stream
from evalbox.errors import EngineUnavailable

PIECE = 64 * 1024
#: Room for what is mapped but never used, the stacks of threads above all.
_DATA_SLACK = 256 * MIB


@dataclass(slots=True, eq=False)
class Job:
    """``pidfd`` becomes readable when the process ends; ``pipes`` are its output's reading ends."""

    process: subprocess.Popen[bytes]
    pidfd: int
    pipes: dict[Stream, int]

    @property
    def pid(self) -> int:
        return self.process.pid

    def take(self) -> list[Chunk]:
        """What can be read at once: at most one piece of each stream."""
        chunks = []
        for stream, pipe in list(self.pipes.items()):
            try:
                data = os.read(pipe, PIECE)
            except BlockingIOError:
                continue
            except OSError:
                # A terminal that nobody has open any more.
                data = b""
            if data:
                chunks.append(Chunk(stream, data))
            else:
                os.close(self.pipes.pop(stream))
        return chunks

    def collect(self) -> tuple[Exit, float]:
        """How the ended process ended, and the core-seconds of it and those it waited for."""
        _, status, used = os.wait4(self.pid, 0)
        self.process.returncode = code = os.waitstatus_to_exitcode(status)
        how = Exit(code) if code >= 0 else Exit(128 - code, signal=-code)
        return how, used.ru_utime + used.ru_stime

    def close(self) -> None:
        """Lets go of it; the process may live on."""
        for pipe in self.pipes.values():
            os.close(pipe)
        self.pipes.clear()
        if self.pidfd >= 0:
            os.close(self.pidfd)
            self.pidfd = -1
        if self.process.returncode is None:
            # Else it complains, when it is forgotten, of the process that is to live on.
            self.process.returncode = 0


def spawn(
    command: Sequence[str],
    *,
    cwd: Path,
    env: Mapping[str, str],
    stdin: Path | None,
    limits: Limits,
) -> Job:
    """Starts ``command`` in a session of its own. Blocks for a few milliseconds."""
    with contextlib.ExitStack() as writers, contextlib.ExitStack() as readers:
        ends: dict[Stream, int] = {}
        pipes: dict[Stream, int] = {}
        for stream in Stream:
            pipes[stream], ends[stream] = os.pipe()
            os.set_blocking(pipes[stream], False)
            readers.callback(os.close, pipes[stream])
            writers.callback(os.close, ends[stream])
        source = writers.enter_context((stdin or Path(os.devnull)).open("rb"))
        process = subprocess.Popen(
            [*limited(limits), *command],
            cwd=cwd,
            env=env,
            stdin=source,
            stdout=ends[Stream.STDOUT],
            stderr=ends[Stream.STDERR],
            start_new_session=True,
        )
        readers.pop_all()
        return Job(process, os.pidfd_open(process.pid), pipes)


async def readable(pipes: Iterable[int], ended: asyncio.Future[Any] | None = None) -> None:
    """Waits until one of ``pipes`` has something to read, or ``ended`` is there."""
    loop = asyncio.get_running_loop()
    ready = loop.create_future()

    def wake(*_: object) -> None:
        if not ready.done():
            ready.set_result(None)

    watched = list(pipes)
    for pipe in watched:
        loop.add_reader(pipe, wake)
    if ended is not None:
        ended.add_done_callback(wake)
    try:
        await ready
    finally:
        if ended is not None:
            ended.remove_done_callback(wake)
        for pipe in watched:
            loop.remove_reader(pipe)


def limiter() -> str:
    """The program that sets limits between fork and exec. Raises ``EngineUnavailable``."""
    found = shutil.which("prlimit")
    if found is None:
        raise EngineUnavailable("prlimit is missing", hint="install util-linux")
    return found


def limited(limits: Limits) -> list[str]:
    """The words before a command that is to run within its limits."""
    data = _at_most(resource.RLIMIT_DATA, limits.memory + _DATA_SLACK)
    size = _at_most(resource.RLIMIT_FSIZE, limits.disk)
    return [limiter(), f"--data={data}", f"--fsize={size}", "--core=0", "--"]


def _at_most(which: int, wanted: int) -> int:
    # A limit cannot be raised above the hard one that evalbox itself was given.
    _, hard = resource.getrlimit(which)
    return wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
