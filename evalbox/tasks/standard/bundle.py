"""A family's directory as one tar: the same bytes for the same content.

No link is ever followed: one that stays within the directory is kept as a link, another is refused.
"""

from __future__ import annotations

import os
import posixpath
import stat
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from evalbox.domain.limits import GIB
from evalbox.domain.quantity import format_size
from evalbox.errors import InvalidInput
from evalbox.tasks.base import unreadable

MAX_TOTAL = 1 * GIB
MAX_ENTRIES = 100_000
#: What tools leave behind, and no part of a family.
LEFT_OUT = frozenset(
    {".git", ".venv", "__pycache__", ".pytest_cache", ".mypy_cache", ".ruff_cache", ".DS_Store"}
)
#: In the sandbox evalbox has its own things there.
_TAKEN = ".evalbox"
_OPEN = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


@dataclass(frozen=True, slots=True)
class Entry:
    """``name`` is the path beneath the directory; ``target`` is where a link leads."""

    name: str
    type: bytes
    size: int = 0
    executable: bool = False
    target: str = ""

    def header(self) -> tarfile.TarInfo:
        info = tarfile.TarInfo(self.name)
        info.type = self.type
        info.size = self.size
        info.linkname = self.target
        info.mode = 0o755 if self.executable or self.type == tarfile.DIRTYPE else 0o644
        return info


@dataclass(frozen=True, slots=True)
class Bundle:
    """What is in the directory ``root``, in the order of the names; ``size`` in bytes."""

    root: Path
    entries: tuple[Entry, ...]
    size: int

    def write(self, target: Path) -> None:
        """Raises ``InvalidInput`` where the directory is no longer as it was."""
        with tarfile.open(target, "w", format=tarfile.GNU_FORMAT) as archive:
            for entry in self.entries:
                if entry.type == tarfile.REGTYPE:
                    self._add(archive, entry)
                else:
                    archive.addfile(entry.header())

    def _add(self, archive: tarfile.TarFile, entry: Entry) -> None:
        path = self.root / entry.name
        try:
            with open(os.open(path, _OPEN), "rb") as file:  # noqa: PTH123 - follows no link
                info = os.fstat(file.fileno())
                if not stat.S_ISREG(info.st_mode) or info.st_size != entry.size:
                    raise _changed(path)
                archive.addfile(entry.header(), file)
        except tarfile.TarError:
            raise _changed(path) from None
        except OSError as error:
            if isinstance(error, FileNotFoundError):
                raise _changed(path) from None
            raise unreadable(path, error) from error


def scan(root: Path) -> Bundle:
    """Looks through all of it. Raises ``InvalidInput`` and ``FileMissing``."""
    entries: list[Entry] = []
    size = 0
    for entry in _walk(root):
        entries.append(entry)
        size += entry.size
        if size > MAX_TOTAL:
            raise InvalidInput(
                f"{root / entry.name}: with it, the family is over {format_size(MAX_TOTAL)}",
                hint="let install() download what is large",
            )
        if len(entries) > MAX_ENTRIES:
            raise InvalidInput(
                f"{root}: has more than {MAX_ENTRIES:,} files",
                hint="let install() unpack them from an archive",
            )
    return Bundle(root, tuple(sorted(entries, key=lambda one: os.fsencode(one.name))), size)


def _walk(root: Path) -> Iterator[Entry]:
    waiting = [""]
    while waiting:
        directory = waiting.pop()
        try:
            with os.scandir(root / directory) as found:
                items = [item for item in found if item.name not in LEFT_OUT]
        except OSError as error:
            raise unreadable(root / directory, error) from error
        for item in items:
            entry = _entry(root, posixpath.join(directory, item.name))
            if entry.type == tarfile.DIRTYPE:
                waiting.append(entry.name)
            yield entry


def _entry(root: Path, name: str) -> Entry:
    path = root / name
    if name == _TAKEN:
        raise InvalidInput(f"{path}: this name is evalbox's own in the sandbox", hint="rename it")
    try:
        info = path.lstat()
        if stat.S_ISDIR(info.st_mode):
            return Entry(name, tarfile.DIRTYPE)
        if stat.S_ISLNK(info.st_mode):
            return Entry(name, tarfile.SYMTYPE, target=_target(path, name))
    except OSError as error:
        raise unreadable(path, error) from error
    if not stat.S_ISREG(info.st_mode):
        raise InvalidInput(f"{path}: is not a regular file", hint="remove it from the family")
    executable = bool(info.st_mode & stat.S_IXUSR)
    return Entry(name, tarfile.REGTYPE, info.st_size, executable)


def _target(path: Path, name: str) -> str:
    target = os.readlink(path)  # noqa: PTH115 - as it stands there
    inside = posixpath.normpath(posixpath.join(posixpath.dirname(name), target))
    if posixpath.isabs(target) or inside == ".." or inside.startswith("../"):
        raise InvalidInput(
            f"{path}: is a link to {target}, outside of the family",
            hint="copy what it links to into the family",
        )
    return target


def _changed(path: Path) -> InvalidInput:
    return InvalidInput(f"{path}: has changed while it was read", hint="try again")
