"""Waiting for the next event, whichever process writes it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

#: How often other processes' writes are looked for, in seconds.
POLL_INTERVAL = 0.1


class Changes:
    """Wakes those who wait for an event beyond one they know.

    Writes of this process are told through ``announce``; those of others are found by ``read_seq``,
    ten times a second and only while somebody waits.
    """

    def __init__(self, read_seq: Callable[[], Awaitable[int]]) -> None:
        self._read_seq = read_seq
        self._seq = 0
        self._waiting: set[asyncio.Future[None]] = set()
        self._poller: asyncio.Task[None] | None = None

    def announce(self, seq: int) -> None:
        """The newest event is ``seq``."""
        if seq <= self._seq:
            return
        self._seq = seq
        for future in self._waiting:
            if not future.done():
                future.set_result(None)

    async def wait(self, last_seq: int, timeout: float) -> int:
        """The newest seq, as soon as it is beyond ``last_seq`` or ``timeout`` seconds are over."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + timeout
        while self._seq <= last_seq and (left := deadline - loop.time()) > 0:
            future: asyncio.Future[None] = loop.create_future()
            self._waiting.add(future)
            try:
                self._start_poller()
                await asyncio.wait((future,), timeout=left)
            finally:
                self._waiting.discard(future)
        return self._seq

    async def close(self) -> None:
        if self._poller is not None:
            self._poller.cancel()
            await asyncio.gather(self._poller, return_exceptions=True)
        for future in self._waiting:
            future.cancel()

    def _start_poller(self) -> None:
        if self._poller is None or self._poller.done():
            self._poller = asyncio.create_task(self._poll(), name="evalbox store changes")

    async def _poll(self) -> None:
        while self._waiting:
            self.announce(await self._read_seq())
            await asyncio.sleep(POLL_INTERVAL)
