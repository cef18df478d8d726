"""Waiting for the next event, whichever process writes it."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path

from evalbox.store.sqlite import Connection, Error, Thread, translate

#: How often other processes' writes are looked for, in seconds.
POLL_INTERVAL = 0.1


def read_last_seq(conn: Connection) -> int:
    """The newest event's seq, 0 where there has been none."""
    row = conn.execute("SELECT seq FROM sqlite_sequence WHERE name = 'events'").fetchone()
    return int(row[0]) if row else 0


class Changes:
    """Wakes those who wait for an event beyond one they know.

    Writes of this process are told through ``announce``. Those of others are looked for in a
    thread of their own, ten times a second and only while somebody waits.
    """

    def __init__(self, thread: Thread, database: Path) -> None:
        self._thread = thread
        self._database = database
        self._seq = 0
        self._version = -1
        self._waiting: set[asyncio.Future[None]] = set()
        self._watcher: asyncio.Task[None] | None = None
        self._stop = threading.Event()

    def announce(self, seq: int) -> None:
        """The newest event is ``seq``."""
        if seq <= self._seq:
            return
        self._seq = seq
        for future in self._waiting:
            if not future.done():
                future.set_result(None)

    async def wait(self, last_seq: int, timeout: float) -> int:
        """The newest seq once it is beyond ``last_seq``, or ``last_seq`` after ``timeout`` s."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + timeout
        while self._seq <= last_seq and (left := deadline - loop.time()) > 0:
            future: asyncio.Future[None] = loop.create_future()
            self._waiting.add(future)
            try:
                watcher = self._start_watching()
                await asyncio.wait(
                    (future, watcher), timeout=left, return_when=asyncio.FIRST_COMPLETED
                )
            finally:
                self._waiting.discard(future)
            if watcher.done() and not watcher.cancelled():
                watcher.result()
            if self._stop.is_set():
                break
        return max(self._seq, last_seq)

    async def close(self) -> None:
        """Ends all waiting."""
        self._stop.set()
        if (watcher := self._watcher) is not None:
            # Not awaited itself, so as not to pass a cancellation on to it.
            await asyncio.wait([watcher])
            if not watcher.cancelled():
                watcher.exception()
        for future in self._waiting:
            if not future.done():
                future.set_result(None)
        await self._thread.close()

    def _start_watching(self) -> asyncio.Task[None]:
        if self._watcher is None or self._watcher.done():
            self._watcher = asyncio.create_task(self._watch(), name="evalbox store changes")
        return self._watcher

    async def _watch(self) -> None:
        while self._waiting and not self._stop.is_set():
            try:
                self.announce(await self._thread.run(self._next_change))
            except Error as error:
                raise translate(error, self._database) from error

    def _next_change(self, conn: Connection) -> int:
        # The loop stays in the thread: to wake the event loop for every look costs more than it.
        while True:
            version = conn.execute("PRAGMA data_version").fetchone()[0]
            if version != self._version:
                self._version = version
                return read_last_seq(conn)
            if self._stop.wait(POLL_INTERVAL) or not self._waiting:
                return self._seq
