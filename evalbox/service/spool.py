"""Bytes on their way in or out, kept on the disk of the data meanwhile, in files without a name.

So nothing is left of them however it ends, and admission sees the space that they take.
"""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import BinaryIO

from evalbox.service.box import Box
from evalbox.store.files import SCRATCH, translate_os


@contextlib.asynccontextmanager
async def spooled(pieces: AsyncIterator[bytes], directory: Path) -> AsyncIterator[Path]:
    """A file in ``directory`` that holds all of ``pieces``, for the length of the block.

    Raises ``StoreFull`` and other ``StoreError``.
    """
    with _translated(directory):
        file = tempfile.TemporaryFile(dir=directory)  # noqa: SIM115 - closed below
    with file:
        async for data in pieces:
            with _translated(directory):
                await asyncio.to_thread(file.write, data)
        with _translated(directory):
            await asyncio.to_thread(file.flush)
        yield Path(f"/proc/self/fd/{file.fileno()}")


def scratch(data_dir: Path) -> tempfile.TemporaryDirectory[str]:
    """A directory for work, which is gone after its ``cleanup``, or with the object. Blocks."""
    with _translated(data_dir):
        return tempfile.TemporaryDirectory(prefix=SCRATCH, dir=data_dir)


async def backed_up(box: Box, data_dir: Path) -> BinaryIO:
    """A backup of ``box``, to be read and closed. Raises what ``Box.backup`` does."""
    with _translated(data_dir):
        made = await asyncio.to_thread(tempfile.mkdtemp, prefix=SCRATCH, dir=data_dir)
    directory = Path(made)
    try:
        await box.backup(directory / "backup")
        return _opened(directory / "backup")
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def _opened(path: Path) -> BinaryIO:
    with _translated(path):
        return path.open("rb")


@contextlib.contextmanager
def _translated(directory: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise translate_os(error, directory) from error
