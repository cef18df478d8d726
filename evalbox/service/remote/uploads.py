"""Files of this machine as the content of requests."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator
from pathlib import Path

from evalbox.errors import FileMissing

_PIECE = 1 << 20


async def size(path: Path) -> int:
    """Bytes. Raises ``FileMissing``."""
    try:
        return (await asyncio.to_thread(path.stat)).st_size
    except OSError as error:
        raise FileMissing(f"{path} cannot be read: {error.strerror}") from error


async def digest(path: Path) -> str:
    """The SHA-256, in hexadecimal. Raises ``FileMissing``."""
    found = hashlib.sha256()
    async for data in content(path):
        await asyncio.to_thread(found.update, data)
    return found.hexdigest()


async def content(path: Path) -> AsyncIterator[bytes]:
    """Raises ``FileMissing``."""
    try:
        file = await asyncio.to_thread(path.open, "rb")
    except OSError as error:
        raise FileMissing(f"{path} cannot be read: {error.strerror}") from error
    try:
        while data := await asyncio.to_thread(file.read, _PIECE):
            yield data
    finally:
        file.close()
