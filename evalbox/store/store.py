"""The store: everything that a box remembers, in one data directory."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from pathlib import Path
from typing import Self

from evalbox.domain.clock import Clock
from evalbox.errors import StoreError, StoreReadOnly
from evalbox.store import migrate
from evalbox.store.alerts import Alerts
from evalbox.store.attempts import Attempts
from evalbox.store.audit import AuditLog
from evalbox.store.backup import Backup
from evalbox.store.batches import Batches
from evalbox.store.builds import Builds
from evalbox.store.catalogue import Catalogue
from evalbox.store.changes import Changes
from evalbox.store.deliveries import Deliveries
from evalbox.store.environments import Environments, seal_what_is_clear
from evalbox.store.evaluations import Evaluations
from evalbox.store.events import Events
from evalbox.store.files import translate_os
from evalbox.store.grades import Grades
from evalbox.store.keys import Keys
from evalbox.store.outputs import Outputs
from evalbox.store.priorities import Priorities
from evalbox.store.queue import Queue
from evalbox.store.readers import Readers
from evalbox.store.reductions import Reductions
from evalbox.store.removal import Removal
from evalbox.store.samples import Samples
from evalbox.store.sandboxes import Sandboxes
from evalbox.store.sqlite import (
    Connection,
    Error,
    Thread,
    open_frozen,
    open_reader,
    open_writer,
    translate,
)
from evalbox.store.statistics import Statistics
from evalbox.store.submission import Submission
from evalbox.store.vault import Vault
from evalbox.store.webhooks import Webhooks
from evalbox.store.writer import Writer

DATABASE = "evalbox.db"
_READERS = 2


class Store(
    Reductions, Submission, Queue, Priorities, Attempts, Evaluations, Batches, Events, Samples,
    Outputs, Catalogue,
    Removal, Backup, Environments, Keys, AuditLog, Statistics, Webhooks, Deliveries,
    Alerts, Sandboxes, Builds, Grades,
):  # fmt: skip
    """A data directory: the database, the blobs, the files of the attempts.

    Its methods are safe to cancel; a write whose caller is cancelled takes place all the same.
    Several stores, in one process or in several, may use one directory at a time.
    """

    @classmethod
    async def open(cls, directory: Path, *, clock: Clock, readonly: bool = False) -> Self:
        """Opens a data directory, creating what is missing, or with ``readonly`` changing nothing.

        Raises ``StoreReadOnly``, ``StoreCorrupt``, ``StoreTooNew``, ``StoreFull``, ``StoreError``.
        """
        directory = await asyncio.to_thread(_inspect if readonly else _prepare, directory)
        database = directory / DATABASE
        opener = open_frozen if readonly and not os.access(directory, os.W_OK) else open_reader
        threads: list[Thread] = []
        try:
            if not readonly:
                threads.append(await _start(database, open_writer))
                await threads[0].run(lambda conn: migrate.migrate(conn, database))
                vault = Vault(directory)
                await threads[0].run(lambda conn: seal_what_is_clear(conn, vault))
            for _ in range(_READERS + 1):
                threads.append(await _start(database, opener))
            watcher, *readers = threads[-_READERS - 1 :]
            box_id = await watcher.run(lambda conn: _box_id(conn, database))
        except BaseException as error:
            for thread in threads:
                await thread.close()
            if isinstance(error, Error):
                raise translate(error, database) from error
            raise
        changes = Changes(watcher, database)
        store = cls(directory, clock, Readers(readers, database), changes, box_id)
        if not readonly:
            store._writer = Writer(threads[0], database, changes.announce)
            try:
                await store.empty_trash()
            except BaseException:
                await store.close()
                raise
        return store

    async def close(self) -> None:
        """Writes what is waiting and closes the database."""
        await self._changes.close()
        await self._readers.close()
        if self._writer is not None:
            await self._writer.close()
        self.lock.release()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()


async def _start(database: Path, opener: Callable[[Path], Connection]) -> Thread:
    thread = Thread(lambda: opener(database))
    await thread.start()
    return thread


def _prepare(directory: Path) -> Path:
    directory = directory.absolute()
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        for path, mode in ((directory, os.W_OK | os.X_OK), (directory / DATABASE, os.W_OK)):
            # SQLite would quietly open for reading what it may not write.
            if path.exists() and not os.access(path, mode):
                raise StoreReadOnly(
                    f"{path} cannot be written",
                    hint="check its owner and permissions, or choose another data directory",
                )
        for name in ("blobs", "attempts"):
            (directory / name).mkdir(mode=0o700, exist_ok=True)
    except (FileExistsError, NotADirectoryError) as error:
        raise StoreError(
            f"{error.filename} is a file, not a directory", hint="choose another data directory"
        ) from error
    except OSError as error:
        raise translate_os(error, directory) from error
    return directory


def _inspect(directory: Path) -> Path:
    directory = directory.absolute()
    try:
        if (directory / DATABASE).is_file():
            return directory
    except OSError as error:
        raise translate_os(error, directory) from error
    raise StoreError(
        f"there is no evalbox data in {directory}", hint="check the path of the data directory"
    )


def _box_id(conn: Connection, database: Path) -> str:
    """Also the first look at what is in the database."""
    version = migrate.check(conn, database)
    if version < migrate.newest():
        raise StoreError(
            f"{database} is of an older evalbox and must be brought up to date first",
            hint="open it once for writing, as with: evalbox ls",
        )
    return str(conn.execute("SELECT value FROM meta WHERE key = 'box'").fetchone()[0])
