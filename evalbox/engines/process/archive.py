"""Kept paths as a tar stream, made on the host from a directory that a command had to itself.

No link is followed and no special file is opened, wherever in a path they are: every step down is
taken from the directory before it, and only into what is a real directory.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import posixpath
import stat
import tarfile
from collections.abc import AsyncGenerator, Iterable, Iterator, Sequence
from concurrent.futures import Executor
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from evalbox.engines.process.job import PIECE, readable
from evalbox.errors import EngineError

#: Deeper directories are left out: each takes a file descriptor.
DEPTH = 64

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


def pack(root: Path, workdir: str, paths: Iterable[str], out: IO[bytes]) -> None:
    """Writes the ``paths`` that exist, named as they are asked for but without a leading slash."""
    with tarfile.open(fileobj=out, mode="w|", format=tarfile.PAX_FORMAT) as archive:
        for path in paths:
            inside = posixpath.normpath(posixpath.join("/", workdir, path))
            name = posixpath.normpath(path).lstrip("/") or "."
            with _parent(root, inside) as (parent, last):
                if parent is not None:
                    _add(archive, parent, last, name, DEPTH)


async def stream(
    packer: Executor, root: Path, workdir: str, paths: Sequence[str]
) -> AsyncGenerator[bytes, None]:
    """The same in pieces, as fast as they are asked for. Raises ``EngineError``."""
    reader, writer = os.pipe()
    os.set_blocking(reader, False)
    loop = asyncio.get_running_loop()
    packing = loop.run_in_executor(packer, _pack_into, root, workdir, paths, writer)
    try:
        await readable([reader])
        while data := os.read(reader, PIECE):
            yield data
            await readable([reader])
    finally:
        # Without a reader the packer ends at its next write.
        os.close(reader)
        await asyncio.shield(asyncio.gather(packing, return_exceptions=True))
    if (error := packing.exception()) is not None:
        raise EngineError(f"{root}: artifacts not packed: {error}") from error


def _pack_into(root: Path, workdir: str, paths: Sequence[str], writer: int) -> None:
    with contextlib.suppress(BrokenPipeError), open(writer, "wb") as out:
        pack(root, workdir, paths, out)


@contextmanager
def _parent(root: Path, inside: str) -> Iterator[tuple[int | None, str]]:
    """The directory that holds ``inside``, and its name there; None where there is none."""
    *steps, last = inside.strip("/").split("/")
    descriptor = os.open(root, _DIRECTORY)
    try:
        for step in steps:
            below = os.open(step, _DIRECTORY, dir_fd=descriptor)
            os.close(descriptor)
            descriptor = below
    except OSError:
        os.close(descriptor)
        yield None, last
        return
    try:
        yield descriptor, last or "."
    finally:
        os.close(descriptor)


def _add(archive: tarfile.TarFile, parent: int, last: str, name: str, depth: int) -> None:
    with contextlib.suppress(FileNotFoundError, PermissionError):
        status = os.stat(last, dir_fd=parent, follow_symlinks=False)
        if stat.S_ISLNK(status.st_mode):
            member = _member(name, status, tarfile.SYMTYPE)
            member.linkname = os.readlink(last, dir_fd=parent)
            archive.addfile(member)
        elif stat.S_ISREG(status.st_mode):
            _add_file(archive, parent, last, name)
        elif stat.S_ISDIR(status.st_mode) and depth:
            archive.addfile(_member(name, status, tarfile.DIRTYPE))
            _add_content(archive, parent, last, name, depth)


def _add_file(archive: tarfile.TarFile, parent: int, last: str, name: str) -> None:
    descriptor = os.open(last, _FILE, dir_fd=parent)
    with open(descriptor, "rb") as file:  # noqa: PTH123
        status = os.fstat(descriptor)
        if stat.S_ISREG(status.st_mode):
            member = _member(name, status, tarfile.REGTYPE)
            member.size = status.st_size
            archive.addfile(member, file)


def _add_content(archive: tarfile.TarFile, parent: int, last: str, name: str, depth: int) -> None:
    descriptor = os.open(last, _DIRECTORY, dir_fd=parent)
    try:
        for entry in sorted(os.listdir(descriptor)):  # noqa: PTH208
            inside = posixpath.normpath(posixpath.join(name, entry))
            _add(archive, descriptor, entry, inside, depth - 1)
    finally:
        os.close(descriptor)


def _member(name: str, status: os.stat_result, kind: bytes) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.type = kind
    member.mode = status.st_mode & 0o777
    member.mtime = int(status.st_mtime)
    return member
