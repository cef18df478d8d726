"""Bytes that arrive in the event loop, read in a thread, with bounds on how many."""

from __future__ import annotations

import asyncio
import queue
from collections.abc import AsyncIterator

_CHUNKS_UNDER_WAY = 8


class TooMuch(Exception):
    """More bytes were asked for than were allowed."""


class BrokenOff(Exception):
    """Bytes were asked for again after the end."""


class Pipe:
    """The reading end is a file to ``tarfile``. ``limit`` bounds all that is read, in bytes."""

    def __init__(self, loop: asyncio.AbstractEventLoop, limit: int) -> None:
        self._loop = loop
        self._left = limit
        self._allowed = 0
        self._chunks: queue.SimpleQueue[bytes] = queue.SimpleQueue()
        self._room = asyncio.Semaphore(_CHUNKS_UNDER_WAY)
        self._rest = memoryview(b"")
        self._ended = False

    async def feed(self, stream: AsyncIterator[bytes], first: bytes) -> None:
        """Passes on ``first`` and then all of ``stream``, no faster than it is read."""
        self._chunks.put(first)
        async for chunk in stream:
            if chunk:
                await self._room.acquire()
                self._chunks.put(chunk)
        self.end()

    def end(self) -> None:
        """Nothing more comes. May be said again."""
        self._chunks.put(b"")

    def allow(self, count: int) -> None:
        """``count`` bytes may be read from now on."""
        self._allowed = count

    def read(self, size: int) -> bytes:
        """Up to ``size`` bytes, none at the end. Waits in the calling thread.

        Raises ``TooMuch`` beyond what is allowed, and ``BrokenOff`` when asked again at the end:
        ``tarfile`` would go on asking as often as a header's size makes it.
        """
        if not self._rest:
            if self._ended:
                raise BrokenOff
            chunk = self._chunks.get()
            self._ended = not chunk
            self._rest = memoryview(chunk)
            self._loop.call_soon_threadsafe(self._room.release)
        part, self._rest = bytes(self._rest[:size]), self._rest[size:]
        self._left -= len(part)
        self._allowed -= len(part)
        if self._left < 0 or self._allowed < 0:
            raise TooMuch
        return part

    def drain(self) -> None:
        """Reads what is left, as far as the limit goes."""
        self.allow(self._left)
        try:
            while self.read(1 << 16):
                pass
        except (TooMuch, BrokenOff):
            return
