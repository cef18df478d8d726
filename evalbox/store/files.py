"""Files that are written whole or not at all."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import secrets
import shutil
from collections.abc import AsyncGenerator, Iterable
from pathlib import Path

from evalbox.errors import StoreError, StoreFull, StoreReadOnly

COPY_BYTES = 1 << 20
_PIECE = 256 * 1024
#: What directories in the data are called whose content is of no use after a crash.
SCRATCH = ".scratch-"


def translate_os(error: OSError, path: Path) -> StoreError:
    """The error of this package that says what a failed write to ``path`` means."""
    name = error.filename or path
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return StoreFull(f"no space left to write {name}", hint="free some space on that disk")
    if error.errno in (errno.EROFS, errno.EACCES, errno.EPERM):
        return StoreReadOnly(
            f"{name} cannot be written ({error.strerror})",
            hint="check its owner and permissions, and that its disk is mounted read-write",
        )
    return StoreError(f"{name}: {error.strerror or error}")


def write_atomically(path: Path, chunks: Iterable[bytes], *, mode: int = 0o600) -> None:
    """Writes a file so that ``path`` holds all of it or is not there, even after a power cut.

    Raises ``OSError``.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name[:64]}.{secrets.token_hex(4)}.part")
    descriptor = os.open(
        temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, mode
    )
    try:
        with os.fdopen(descriptor, "wb") as file:
            for chunk in chunks:
                file.write(chunk)
            file.flush()
            os.fsync(file.fileno())
        temporary.rename(path)
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise
    sync_directory(path.parent)


def sync_directory(directory: Path) -> None:
    """Makes the names in a directory durable."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def delete(path: Path) -> None:
    """Deletes a file or a whole directory, and follows no link. Fine where there is none."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


async def content(path: Path) -> AsyncGenerator[bytes, None]:
    """What a file holds, in pieces. Raises ``OSError`` before the first one."""
    file = await asyncio.to_thread(path.open, "rb")
    try:
        while data := await asyncio.to_thread(file.read, _PIECE):
            yield data
    finally:
        file.close()
