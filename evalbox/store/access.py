"""What every part of the store stands on."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from evalbox.domain.clock import Clock
from evalbox.domain.ids import IdFactory
from evalbox.errors import StoreReadOnly
from evalbox.store.changes import Changes
from evalbox.store.journal import append, waiting_draft
from evalbox.store.lock import DataDirectoryLock
from evalbox.store.readers import Readers
from evalbox.store.sqlite import Connection
from evalbox.store.vault import Vault
from evalbox.store.writer import Work, Writer

T = TypeVar("T")


class Access:
    """A data directory with its connections. The parts of the store are built on it.

    ``lock`` is for the process that runs the queue; the store itself does not take it.
    """

    def __init__(
        self, directory: Path, clock: Clock, readers: Readers, changes: Changes, box_id: str
    ) -> None:
        self.directory = directory
        self.clock = clock
        self.box_id = box_id
        self.lock = DataDirectoryLock(directory)
        self.vault = Vault(directory)
        self._readers = readers
        self._changes = changes
        self._writer: Writer | None = None
        self._ids = IdFactory()

    async def _read(self, work: Callable[[Connection], T]) -> T:
        return await self._readers.run(work)

    async def _write(self, work: Work[T], *, undo: Callable[[T], Work[None]] | None = None) -> T:
        writer = self._writer_or_refuse()
        draft = waiting_draft()
        if draft is None:
            return await writer.run(work, undo=undo)

        def audited(conn: Connection) -> T:
            made = work(conn)
            append(conn, draft, made=made)
            return made

        # What is handed over is written, even where this is cancelled.
        draft.written = True
        try:
            return await writer.run(audited, undo=undo)
        except Exception:
            draft.written = False
            raise

    def _writer_or_refuse(self) -> Writer:
        if self._writer is None:
            raise StoreReadOnly(
                f"{self.directory} was opened for reading only",
                hint="open it without asking for that",
            )
        return self._writer
