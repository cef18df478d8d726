"""The one writer: it owns the connection that writes, and commits what waits together.

A durable commit costs a sync of the disk, however much it holds. So whatever is waiting when a
commit ends goes into the next one.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from evalbox.errors import StoreError
from evalbox.store.sqlite import BUSY, LOCKED, Connection, Error, Thread, error_code, translate
from evalbox.telemetry.metrics import Histogram, Reading, gauge

T = TypeVar("T")
Work = Callable[[Connection], T]

_GROUP_LIMIT = 256


@dataclass(slots=True)
class _Item:
    work: Work[Any]
    future: asyncio.Future[Any]
    undo: Callable[[Any], Work[None]] | None


@dataclass(slots=True)
class _Result:
    value: Any = None
    error: BaseException | None = None


class Writer:
    """Runs callables in the writing thread, each as if in a transaction of its own.

    ``on_commit`` is called in the event loop after each commit, with the newest event's seq.
    """

    def __init__(self, thread: Thread, database: Path, on_commit: Callable[[int], None]) -> None:
        self._thread = thread
        self._database = database
        self._on_commit = on_commit
        self._waiting: deque[_Item] = deque()
        self._wake = asyncio.Event()
        #: Whether the last commit failed at the database or its disk.
        self.failing = False
        self._closing = False
        self._commits = Histogram(
            "store_commit_seconds", "How long a durable commit took, and what was written in it."
        )
        self._task = asyncio.create_task(self._serve(), name="evalbox store writer")

    async def run(self, work: Work[T], *, undo: Callable[[T], Work[None]] | None = None) -> T:
        """Calls ``work`` with the connection and returns its result once that is on the disk.

        ``work`` must do nothing but read and write the database: it may be called again where the
        transaction that it shared with others failed. What it raises is raised here, and only its
        own changes are undone. Errors of SQLite come as ``StoreError``.

        When the awaiting task is cancelled, the write takes place all the same. Where that would
        leave something that nobody knows of, ``undo`` makes from the result the work that takes
        it back.
        """
        future = self._put(work, undo)
        try:
            return await future
        except asyncio.CancelledError:
            if undo is not None and not future.cancelled() and future.exception() is None:
                self._take_back(undo, future.result())
            raise

    def readings(self) -> list[Reading]:
        waiting = len(self._waiting)
        return [
            self._commits.read(),
            gauge("store_writes_waiting", "Writes that wait for the next commit.", waiting),
        ]

    async def close(self) -> None:
        """Writes what is waiting, then closes the connection."""
        self._closing = True
        self._wake.set()
        # Not awaited itself: a cancellation would be passed on to it, and what waits be lost.
        await asyncio.wait([self._task])
        await self._thread.close()

    def _put(
        self, work: Work[T], undo: Callable[[T], Work[None]] | None = None
    ) -> asyncio.Future[T]:
        if self._closing and self._task.done():
            raise StoreError("the store is closed")
        future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._waiting.append(_Item(work, future, undo))
        self._wake.set()
        return future

    def _take_back(self, undo: Callable[[T], Work[None]], result: T) -> None:
        # Nobody waits for it; a failure leaves what a recovery after a crash finds too.
        with contextlib.suppress(StoreError):
            self._put(undo(result)).add_done_callback(_ignore)

    async def _serve(self) -> None:
        while True:
            if not self._waiting:
                if self._closing:
                    await self._empty_log()
                    return
                self._wake.clear()
                await self._wake.wait()
                continue
            group = [self._waiting.popleft() for _ in range(min(_GROUP_LIMIT, len(self._waiting)))]
            await self._commit(group)
            # Lets those who wait for this group speak up before the next one is gathered.
            await asyncio.sleep(0)

    async def _empty_log(self) -> None:
        """What is left in a log cannot be read by those who may not write."""
        with contextlib.suppress(Error):
            await self._thread.run(
                lambda conn: conn.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
            )

    async def _commit(self, group: list[_Item]) -> None:
        works = [item.work for item in group]
        began = time.perf_counter()
        try:
            results, seq = await self._thread.run(lambda conn: _run_group(conn, works))
        except Exception as error:
            results, seq = [_Result(error=error) for _ in group], None
        self._commits.observe(time.perf_counter() - began)
        self.failing = any(isinstance(result.error, Error) for result in results)
        for item, result in zip(group, results, strict=True):
            self._settle(item, result)
        if seq is not None:
            self._on_commit(seq)

    def _settle(self, item: _Item, result: _Result) -> None:
        error = result.error
        if item.future.cancelled():
            if error is None and item.undo is not None:
                self._take_back(item.undo, result.value)
        elif error is None:
            item.future.set_result(result.value)
        elif isinstance(error, Error):
            failure = translate(error, self._database)
            failure.__cause__ = error
            item.future.set_exception(failure)
        else:
            item.future.set_exception(error)


def _ignore(future: asyncio.Future[Any]) -> None:
    if not future.cancelled():
        future.exception()


def _run_group(conn: Connection, works: Sequence[Work[Any]]) -> tuple[list[_Result], int | None]:
    try:
        return _transaction(conn, works, _plain)
    except Error as error:
        if len(works) == 1 or error_code(error) in (BUSY, LOCKED):
            return [_Result(error=error) for _ in works], None
        # The whole transaction fell, as on a full disk: each has a go by itself, so that one that
        # needs much space does not take down those that need little.
        return _one_by_one(conn, works)
    except Exception as error:
        if len(works) == 1:
            return [_Result(error=error)], None
    # One of them refused: all again, each behind a savepoint. Refusals are rare, and savepoints
    # for all would cost a tenth of the throughput.
    try:
        return _transaction(conn, works, _guarded)
    except Error:
        return _one_by_one(conn, works)


def _one_by_one(conn: Connection, works: Sequence[Work[Any]]) -> tuple[list[_Result], int | None]:
    results: list[_Result] = []
    newest = None
    for work in works:
        alone, seq = _run_group(conn, [work])
        results += alone
        newest = newest if seq is None else seq
    return results, newest


def _transaction(
    conn: Connection,
    works: Sequence[Work[Any]],
    call: Callable[[Connection, Work[Any]], _Result],
) -> tuple[list[_Result], int]:
    # A transaction that reads first and asks to write later fails at once when another process
    # wrote in between; one that asks first waits its turn.
    conn.execute("BEGIN IMMEDIATE")
    try:
        results = [call(conn, work) for work in works]
        row = conn.execute("SELECT seq FROM sqlite_sequence WHERE name = 'events'").fetchone()
        conn.execute("COMMIT")
    except BaseException:
        _roll_back(conn)
        raise
    return results, row[0] if row else 0


def _plain(conn: Connection, work: Work[Any]) -> _Result:
    return _Result(work(conn))


def _guarded(conn: Connection, work: Work[Any]) -> _Result:
    conn.execute("SAVEPOINT work")
    try:
        result = _Result(work(conn))
    except Exception as error:
        if not conn.in_transaction:
            # SQLite rolled everything back by itself, as it does when the disk is full.
            raise
        conn.execute("ROLLBACK TO work")
        result = _Result(error=error)
    conn.execute("RELEASE work")
    return result


def _roll_back(conn: Connection) -> None:
    if conn.in_transaction:
        with contextlib.suppress(Error):
            conn.execute("ROLLBACK")
