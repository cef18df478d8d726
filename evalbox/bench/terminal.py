"""A terminal of which this process holds the other end, with a program on it."""

from __future__ import annotations

import asyncio
import fcntl
import os
import pty
import struct
import termios
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import psutil

from evalbox.errors import EvalboxError

COLUMNS, ROWS = 120, 36
_PATIENCE, _LOOK, _PIECE = 120.0, 0.0005, 1 << 16
_MIB = 1 << 20


@dataclass(slots=True)
class Terminal:
    """``begun`` and all times are of the monotonic clock; ``shown`` is all that was sent to it."""

    process: psutil.Process
    master: int
    begun: float
    shown: bytearray = field(default_factory=bytearray)
    heard: float = 0.0

    def read(self) -> None:
        try:
            piece = os.read(self.master, _PIECE)
        except OSError:
            piece = b""
        if not piece:
            asyncio.get_running_loop().remove_reader(self.master)
            return
        self.shown += piece
        self.heard = time.monotonic()

    def type(self, keys: str) -> None:
        os.write(self.master, keys.encode())

    async def until(self, wanted: str, *, behind: int = 0) -> float:
        """When it was sent, ``behind`` so many bytes that were sent before."""
        sought = wanted.encode()
        end = time.monotonic() + _PATIENCE
        while self.shown.find(sought, behind) < 0:
            if time.monotonic() > end or not self.alive:
                raise EvalboxError(f"the screen never showed {wanted!r}: {self.shown[-500:]!r}")
            await asyncio.sleep(_LOOK)
        return self.heard

    @property
    def alive(self) -> bool:
        return self.process.is_running() and self.process.status() != psutil.STATUS_ZOMBIE

    def processor_seconds(self) -> float:
        times = self.process.cpu_times()
        return float(times.user + times.system)

    def memory(self) -> float:
        """MiB that it keeps in memory."""
        return float(self.process.memory_info().rss) / _MIB


@asynccontextmanager
async def on_terminal(
    command: Sequence[str], environment: Mapping[str, str]
) -> AsyncIterator[Terminal]:
    """Runs ``command`` for the length of a block; SIGTERM ends it."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
    begun = time.monotonic()
    try:
        process = await asyncio.create_subprocess_exec(
            *command, stdin=slave, stdout=slave, stderr=slave, start_new_session=True,
            env=dict(os.environ) | {"TERM": "xterm-256color", "LANG": "C.UTF-8", **environment},
        )  # fmt: skip
    finally:
        os.close(slave)
    terminal = Terminal(psutil.Process(process.pid), master, begun)
    loop = asyncio.get_running_loop()
    loop.add_reader(master, terminal.read)
    try:
        yield terminal
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()
        loop.remove_reader(master)
        os.close(master)
