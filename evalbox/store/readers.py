"""A few connections that only read, each in a thread of its own."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

from evalbox.errors import StoreError
from evalbox.store.sqlite import Connection, Error, Thread, translate

T = TypeVar("T")


class Readers:
    """Lends out connections, the one used last first: its cache is warm."""

    def __init__(self, threads: Sequence[Thread], database: Path) -> None:
        self._threads = tuple(threads)
        self._database = database
        self._closed = False
        self._free: asyncio.LifoQueue[Thread] = asyncio.LifoQueue()
        for thread in threads:
            self._free.put_nowait(thread)

    async def run(self, work: Callable[[Connection], T]) -> T:
        """Calls ``work`` with a connection. All that it reads is of one moment.

        Errors of SQLite come as ``StoreError``.
        """
        if self._closed:
            raise StoreError("the store is closed")
        thread = await self._free.get()
        try:
            return await thread.run(lambda conn: _snapshot(conn, work))
        except Error as error:
            raise translate(error, self._database) from error
        finally:
            self._free.put_nowait(thread)

    async def close(self) -> None:
        self._closed = True
        for thread in self._threads:
            await thread.close()


def _snapshot(conn: Connection, work: Callable[[Connection], T]) -> T:
    conn.execute("BEGIN")
    try:
        return work(conn)
    finally:
        if conn.in_transaction:
            conn.execute("COMMIT")
