"""The content of answers as files of this machine."""

from __future__ import annotations

import asyncio
import os
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

from evalbox.errors import Conflict, StoreReadOnly


async def write(content: AsyncIterator[bytes], target: Path) -> None:
    """Writes a new file, for its owner alone, whole or not at all.

    Raises ``Conflict`` where ``target`` exists, and ``StoreReadOnly``.
    """
    descriptor, temporary = await asyncio.to_thread(_beside, target)
    try:
        with os.fdopen(descriptor, "wb") as file:
            async for data in content:
                await asyncio.to_thread(file.write, data)
        await asyncio.to_thread(temporary.replace, target)
    finally:
        temporary.unlink(missing_ok=True)


def _beside(target: Path) -> tuple[int, Path]:
    if os.path.lexists(target):
        raise Conflict(f"{target} exists already", hint="choose another name for it")
    try:
        descriptor, name = tempfile.mkstemp(dir=target.absolute().parent, prefix=".evalbox-")
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise StoreReadOnly(
            f"{target} cannot be written: {reason}", hint="choose another place"
        ) from error
    return descriptor, Path(name)
