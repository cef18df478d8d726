"""Connections to SQLite, and what its errors mean to a user.

``pysqlite3`` carries a SQLite of its own, newer than the one most Pythons are linked with: SQLite
3.7.0 to 3.51.2 may corrupt a database when its write-ahead log is reset. Where it is not
installed, the standard library's serves.
"""

from __future__ import annotations

import asyncio
import functools
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import quote

import aiosqlite

from evalbox.errors import StoreCorrupt, StoreError, StoreFull, StoreReadOnly

if TYPE_CHECKING:
    import sqlite3 as sqlite
else:
    try:
        from pysqlite3 import dbapi2 as sqlite
    except ImportError:
        import sqlite3 as sqlite

T = TypeVar("T")

Connection = sqlite.Connection
Error = sqlite.Error
complete_statement = sqlite.complete_statement

#: How long a connection waits for another process's transaction, in seconds.
BUSY_TIMEOUT = 10.0
#: What is read beyond it is in the cache of the system: mapped into memory, the file would count
#: once for each connection in what the process is said to use. Of readers there are several.
_WRITER_KIB, _READER_KIB = 4 * 1024, 1 * 1024
_LOG_LIMIT_BYTES = 64 << 20
#: Pages in the log (of 4 KiB) before they are moved into the database. SQLite's own 1,000 come
#: together every few commits once the tables are large, and cost a third of the throughput.
_CHECKPOINT_PAGES = 8000

#: A disk with less room than this is full: the log's index alone grows by 32 KiB at once.
_FULL_BYTES = 64 << 10

BUSY, LOCKED, READONLY, IOERR, CORRUPT, FULL, CANTOPEN, NOTADB = 5, 6, 8, 10, 11, 13, 14, 26


def sqlite_version() -> str:
    """The version of the SQLite in use, as in ``3.53.4``."""
    return str(sqlite.sqlite_version)


def sqlite_is_safe() -> bool:
    """Whether the SQLite in use is free of the WAL-reset bug."""
    return tuple(int(part) for part in sqlite_version().split(".")[:3]) >= (3, 51, 3)


def error_code(error: BaseException) -> int | None:
    """The primary result code of an error of SQLite, None where it has none."""
    code = getattr(error, "sqlite_errorcode", None)
    return None if code is None else int(code) & 0xFF


def translate(error: Error, database: Path | str) -> StoreError:
    """The error of this package that says what an error of SQLite means."""
    code = error_code(error)
    # What cannot be mapped or synced for want of space is to SQLite any failure of the disk.
    match FULL if code == IOERR and _is_full(Path(database).parent) else code:
        case 13:
            return StoreFull(
                f"no space left to write {database}",
                hint="free some space on that disk; what was acknowledged so far is safe",
            )
        case 8:
            return StoreReadOnly(
                f"{database} cannot be written",
                hint="check its owner and permissions, and that its disk is mounted read-write",
            )
        case 14:
            return StoreReadOnly(
                f"{database} cannot be opened",
                hint="check that its directory exists and that you may read and write there",
            )
        case 11 | 26:
            return StoreCorrupt(
                f"{database} is damaged or not a database ({error})",
                hint="move it aside and bring back a backup with: evalbox restore FILE",
            )
        case 5 | 6:
            return StoreError(
                f"{database} has been busy for {BUSY_TIMEOUT:.0f} seconds",
                hint="another process keeps it locked; find it with: fuser " + str(database),
            )
        case 10:
            return StoreError(
                f"reading or writing {database} failed ({error})",
                hint="look for disk errors with: dmesg",
            )
        case _:
            return StoreError(f"{database}: {error}")


def _is_full(directory: Path) -> bool:
    try:
        disk = os.statvfs(directory)
    except OSError:
        return False
    return disk.f_bavail * disk.f_frsize < _FULL_BYTES


def open_writer(database: Path) -> Connection:
    """A connection that may write, in WAL mode, every commit synced to the disk.

    Raises SQLite's own errors.
    """
    connection = _connect(f"file:{quote(str(database))}?mode=rwc", _WRITER_KIB)
    _enter_wal(connection)
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute(f"PRAGMA wal_autocheckpoint = {_CHECKPOINT_PAGES}")
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute(f"PRAGMA journal_size_limit = {_LOG_LIMIT_BYTES}")
    return connection


def open_reader(database: Path) -> Connection:
    """A connection that cannot write. Raises SQLite's own errors."""
    connection = _connect(f"file:{quote(str(database))}?mode=rw", _READER_KIB)
    connection.execute("PRAGMA query_only = ON")
    return connection


def open_frozen(database: Path) -> Connection:
    """A connection that leaves no trace, for a directory that cannot be written.

    Without the right to write, SQLite can read a write-ahead log only where its index file is
    there already; without a log, the file is taken as one that nobody changes.
    """
    log = database.with_name(database.name + "-wal")
    frozen = "" if log.exists() and log.stat().st_size else "&immutable=1"
    connection = _connect(f"file:{quote(str(database))}?mode=ro{frozen}", _READER_KIB)
    connection.execute("PRAGMA query_only = ON")
    return connection


def _connect(uri: str, cache_kib: int) -> Connection:
    connection = sqlite.connect(
        uri,
        uri=True,
        timeout=BUSY_TIMEOUT,
        # Transactions are begun and ended by the writer, never behind its back.
        isolation_level=None,
        cached_statements=256,
    )
    connection.execute(f"PRAGMA cache_size = -{cache_kib}")
    connection.execute("PRAGMA trusted_schema = OFF")
    return connection


def _enter_wal(connection: Connection) -> None:
    # The busy timeout is not honoured here, so two processes that create a database at once would
    # have one of them fail.
    deadline = time.monotonic() + BUSY_TIMEOUT
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except Error as error:
            if error_code(error) not in (BUSY, LOCKED) or time.monotonic() > deadline:
                raise
            time.sleep(0.02)
        else:
            return


class Thread:
    """A connection in a thread of its own; what is done with it is done there, in turn."""

    def __init__(self, connector: Callable[[], Connection]) -> None:
        self._connection = aiosqlite.Connection(connector, iter_chunk_size=64)
        # A process that fails before it closes its store must end, not wait for this thread. To be
        # cut off at any point is what the database is made for.
        self._connection._thread.daemon = True

    async def start(self) -> None:
        """Opens the connection. Raises what ``connector`` raises."""
        try:
            await self._connection
        except BaseException:
            # aiosqlite tells its thread to end and forgets it. It reports to this loop when it
            # does, and must not find that closed.
            await asyncio.to_thread(self._connection._thread.join)
            raise

    async def run(self, function: Callable[[Connection], T]) -> T:
        """Calls ``function`` with the connection, in the thread.

        When the awaiting task is cancelled the call still takes place.
        """
        # aiosqlite's public methods each carry one statement across; a whole transaction at once
        # costs one change of threads instead of one for every statement.
        connection: Any = self._connection
        hop = functools.partial(function, connection._conn)
        result: T = await connection._execute(hop)
        return result

    async def close(self) -> None:
        await self._connection.close()
