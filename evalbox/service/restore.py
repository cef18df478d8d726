"""Puts a backup in place of what is in a data directory."""

from __future__ import annotations

import asyncio
from pathlib import Path

from evalbox.domain.clock import SystemClock
from evalbox.service.audit import audited
from evalbox.store.restore import restore as restore_directory
from evalbox.store.store import Store


async def restore(archive: Path, directory: Path, *, force: bool = False) -> Path | None:
    """Brings ``archive`` back into ``directory``, and puts that into the audit log there.

    With ``force``, what is there is kept aside, and its new path returned. Raises ``FileMissing``,
    ``StoreCorrupt`` where the file is no sound backup, ``Conflict`` where the directory is not
    empty, ``StoreLocked`` where a process works in it, and other ``StoreError``.
    """
    aside = await asyncio.to_thread(restore_directory, archive, directory, force=force)
    async with (
        await Store.open(directory, clock=SystemClock()) as store,
        audited(store, "box.restore", str(archive)),
    ):
        return aside
