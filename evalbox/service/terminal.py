"""The terminal and the standard input of this process, for a program elsewhere."""

from __future__ import annotations

import asyncio
import os
import select
import signal
import termios
import threading
import tty
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass

STDIN, STDOUT, STDERR = 0, 1, 2
_PIECE = 64 * 1024
#: Seconds that a read which has begun may take to end, once nobody wants more.
_LAST_READ = 1.0


@dataclass(frozen=True, slots=True)
class Terminal:
    descriptor: int

    @classmethod
    def of_this_process(cls) -> Terminal | None:
        """None where standard input or output is none."""
        return cls(STDIN) if os.isatty(STDIN) and os.isatty(STDOUT) else None

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
            # It may be gone by now.
            with suppress(termios.error):
                termios.tcsetattr(self.descriptor, termios.TCSADRAIN, before)

    @asynccontextmanager
    async def resizing(self, resize: Callable[[int, int], Awaitable[None]]) -> AsyncIterator[None]:
        """Tells ``resize`` of the size, and of every change of it."""
        changed = asyncio.Event()
        changed.set()
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGWINCH, changed.set)

        async def tell() -> None:
            while True:
                await changed.wait()
                changed.clear()
                with suppress(OSError):
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

    Read in a thread, since a file cannot be watched. Nothing is read that is not asked for, and
    nothing after this is closed: the next to read gets it.
    """
    reader = _Reader(asyncio.get_running_loop())
    try:
        while data := await reader.next():
            yield data
    finally:
        await reader.close()


class _Reader:
    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._pieces: asyncio.Queue[bytes] = asyncio.Queue()
        self._wanted = threading.Semaphore(0)
        # Closed at one end, it wakes the thread that waits at the other.
        self._woken, self._waking = os.pipe()
        self._thread = threading.Thread(target=self._read, name="stdin", daemon=True)
        self._thread.start()

    async def next(self) -> bytes:
        """Empty at the end."""
        self._wanted.release()
        return await self._pieces.get()

    async def close(self) -> None:
        os.close(self._waking)
        self._wanted.release()
        await asyncio.to_thread(self._thread.join, _LAST_READ)

    def _read(self) -> None:
        try:
            while data := self._piece():
                if not self._tell(data):
                    return
            self._tell(b"")
        finally:
            os.close(self._woken)

    def _piece(self) -> bytes:
        self._wanted.acquire()
        waiting = select.poll()
        waiting.register(STDIN, select.POLLIN)
        waiting.register(self._woken, select.POLLIN)
        if any(descriptor == self._woken for descriptor, _ in waiting.poll()):
            return b""
        try:
            return os.read(STDIN, _PIECE)
        except OSError:
            return b""

    def _tell(self, data: bytes) -> bool:
        try:
            self._loop.call_soon_threadsafe(self._pieces.put_nowait, data)
        except RuntimeError:
            # The loop is gone, and with it whoever asked.
            return False
        return True
