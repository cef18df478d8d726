"""The terminal and the standard input of this process, for a program elsewhere."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import termios
import threading
import tty
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass

_PIECE = 64 * 1024


@dataclass(frozen=True, slots=True)
class Terminal:
    descriptor: int

    @classmethod
    def of_this_process(cls) -> Terminal | None:
        """None where standard input or output is none."""
        if not (sys.stdin.isatty() and sys.stdout.isatty()):
            return None
        return cls(sys.stdin.fileno())

    def size(self) -> tuple[int, int]:
        """Rows and columns."""
        found = os.get_terminal_size(self.descriptor)
        return max(1, found.lines), max(1, found.columns)

    @contextmanager
    def raw(self) -> Iterator[None]:
        """Every key goes to the program, as it is, for the length of the block."""
        before = termios.tcgetattr(self.descriptor)
        # What has been typed already is not lost.
        tty.setraw(self.descriptor, termios.TCSADRAIN)
        try:
            yield
        finally:
            termios.tcsetattr(self.descriptor, termios.TCSADRAIN, before)

    @asynccontextmanager
    async def resizing(self, resize: Callable[[int, int], Awaitable[None]]) -> AsyncIterator[None]:
        """Tells ``resize`` of every change of the size."""
        changed = asyncio.Event()
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGWINCH, changed.set)

        async def tell() -> None:
            while True:
                await changed.wait()
                changed.clear()
                await resize(*self.size())

        telling = asyncio.create_task(tell())
        try:
            yield
        finally:
            loop.remove_signal_handler(signal.SIGWINCH)
            telling.cancel()
            await asyncio.gather(telling, return_exceptions=True)


async def standard_input() -> AsyncIterator[bytes]:
    """What comes on standard input, as it comes.

    Read in a thread that nobody waits for: a file cannot be watched, and a read from a terminal
    cannot be ended.
    """
    loop = asyncio.get_running_loop()
    pieces: asyncio.Queue[bytes] = asyncio.Queue()
    wanted = threading.Semaphore(0)

    def read() -> None:
        while True:
            wanted.acquire()
            try:
                data = os.read(0, _PIECE)
            except OSError:
                data = b""
            try:
                loop.call_soon_threadsafe(pieces.put_nowait, data)
            except RuntimeError:
                return
            if not data:
                return

    threading.Thread(target=read, name="stdin", daemon=True).start()
    while True:
        wanted.release()
        data = await pieces.get()
        if not data:
            return
        yield data
