"""Puts a backup in place of a data directory's database."""

from __future__ import annotations

from pathlib import Path


async def restore(source: Path, directory: Path) -> None:
    """Raises ``StoreLocked`` while another process owns the directory, ``StoreCorrupt`` and
    ``StoreTooNew`` where ``source`` is not a backup that this evalbox can read.
    """
    raise NotImplementedError
