"""Tar archives for the engine, made on the fly and never held in memory."""

from __future__ import annotations

import posixpath
import tarfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from evalbox.engines.base import SourceFile
from evalbox.engines.docker.script import STAGE, Staged, beneath
from evalbox.errors import EngineError

_BLOCK = 512
_PIECE = 256 * 1024
_END = bytes(2 * _BLOCK)


@dataclass(frozen=True, slots=True)
class Owner:
    """Numbers of a user and a group in the sandbox."""

    uid: int
    gid: int

    @property
    def root(self) -> bool:
        return self.uid == 0

    def __str__(self) -> str:
        return f"{self.uid}:{self.gid}"


def directory_archive(path: str, owner: Owner, mode: int = 0o755) -> bytes:
    """One directory, made where it is missing, and given to ``owner`` in any case."""
    return _directory(path, owner, mode) + _END


def files_archive(staged: Sequence[Staged], owner: Owner, workdir: str) -> Iterator[bytes]:
    """The staged files and their directories, all of them the owner's.

    Directories that are missing outside of ``workdir`` are left to the engine, which gives them to
    root. Reads files: not for the event loop. Raises ``EngineError`` for a file that has changed.
    """
    made: set[str] = set()
    for item in staged:
        for parent in _parents(item.path):
            if parent not in made and (parent == STAGE or beneath(parent, workdir)):
                made.add(parent)
                yield _directory(parent, owner, 0o700 if parent == STAGE else 0o755)
        size = len(item.content) if isinstance(item.content, bytes) else item.content.size
        yield _header(item.path, tarfile.REGTYPE, owner, item.mode, size)
        if isinstance(item.content, bytes):
            yield item.content
        else:
            yield from _content(item.content)
        yield bytes(-size % _BLOCK)
    yield _END


def _directory(path: str, owner: Owner, mode: int) -> bytes:
    return _header(path, tarfile.DIRTYPE, owner, mode, 0)


def _header(path: str, kind: bytes, owner: Owner, mode: int, size: int) -> bytes:
    info = tarfile.TarInfo(path.lstrip("/"))
    info.type, info.mode, info.size = kind, mode, size
    info.uid, info.gid = owner.uid, owner.gid
    info.mtime = int(time.time())
    return info.tobuf(tarfile.PAX_FORMAT, errors="surrogateescape")


def _parents(path: str) -> list[str]:
    parents: list[str] = []
    while (path := posixpath.dirname(path)) != "/":
        parents.append(path)
    return parents[::-1]


def _content(file: SourceFile) -> Iterator[bytes]:
    left = file.size
    try:
        with file.source.open("rb") as source:
            while left and (piece := source.read(min(left, _PIECE))):
                left -= len(piece)
                yield piece
    except OSError as error:
        raise EngineError(f"the file for {file.path} cannot be read: {error}") from error
    if left:
        raise EngineError(f"the file for {file.path} is shorter than recorded: {file.source}")
