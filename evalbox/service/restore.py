"""Puts a backup in place of what is in a data directory."""

from __future__ import annotations

import asyncio
from pathlib import Path

from evalbox.store.restore import restore as restore_directory


async def restore(archive: Path, directory: Path, *, force: bool = False) -> Path | None:
    """Brings ``archive`` back into ``directory``.

    With ``force``, what is there is kept aside, and its new path returned. Raises ``FileMissing``,
    ``StoreCorrupt`` where the file is no sound backup, ``Conflict`` where the directory is not
    empty, ``StoreLocked`` where a process works in it, and other ``StoreError``.
    """
    return await asyncio.to_thread(restore_directory, archive, directory, force=force)
