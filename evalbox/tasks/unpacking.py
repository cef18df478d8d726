"""A directory that came as a tar archive, unpacked with distrust.

Directories, regular files and links within the archive are known; times, owners and all rights but
the one to execute are passed over. Nothing is ever written through a link: links are made last.
"""

from __future__ import annotations

import gzip
import posixpath
import shutil
import tarfile
import zlib
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path, PurePosixPath
from typing import IO

from evalbox.domain.inert import inert_line
from evalbox.domain.limits import GIB, MIB
from evalbox.domain.quantity import format_size
from evalbox.errors import InvalidInput

MAX_TOTAL = 1 * GIB
MAX_MEMBERS = 100_000
#: Of the headers of one member, which are read at once.
_MOST_AT_ONCE = 1 * MIB
_MAX_NAME, _MAX_DEPTH = 4096, 64
_GZIP = b"\x1f\x8b"
_PIECE = 1 << 20


def unpack(archive: Path, target: Path, *, field: str) -> None:
    """Fills ``target``, an empty directory, with what ``archive`` holds: tar, plain or in gzip.

    Blocks. Raises ``InvalidInput`` that names ``field`` for what is no archive, is larger than
    ``MAX_TOTAL`` bytes or ``MAX_MEMBERS`` members, or would put anything elsewhere; what was
    unpacked until then is left there.
    """
    plain = archive
    try:
        with archive.open("rb") as source:
            packed = source.read(len(_GZIP)) == _GZIP
        if packed:
            plain = target.with_name(f"{target.name}.tar")
            _inflate(archive, plain, field)
        with plain.open("rb") as source:
            _Unpacking(target, field).all_of(source)
    except (tarfile.TarError, UnicodeError) as error:
        raise InvalidInput(f"{field}: is no tar archive ({error})", field=field) from None
    finally:
        if plain is not archive:
            plain.unlink(missing_ok=True)


def _inflate(archive: Path, target: Path, field: str) -> None:
    size = 0
    try:
        with gzip.open(archive) as source, target.open("xb") as file:
            while data := source.read(_PIECE):
                size += len(data)
                if size > MAX_TOTAL:
                    raise _too_large(field)
                file.write(data)
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise InvalidInput(f"{field}: is no whole gzip file ({error})", field=field) from None


class _Careful:
    """A file of which only little is read at a time: a header may say that it is a gigabyte."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self.seek = file.seek
        self.tell = file.tell

    def read(self, size: int = -1) -> bytes:
        if not 0 <= size <= _MOST_AT_ONCE:
            raise tarfile.ReadError("a header is too large")
        return self._file.read(size)


class _Unpacking:
    def __init__(self, target: Path, field: str) -> None:
        self._target = target
        self._field = field
        self._size = 0
        self._links: dict[PurePosixPath, str] = {}

    def all_of(self, source: IO[bytes]) -> None:
        careful: IO[bytes] = _Careful(source)  # type: ignore[assignment]
        with tarfile.open(fileobj=careful, mode="r:", errorlevel=2) as archive:
            for number, member in enumerate(self._members(archive), start=1):
                if number > MAX_MEMBERS:
                    raise self._wrong(f"has more than {MAX_MEMBERS:,} members")
                self._told_apart(member.name, partial(self._one, archive, member))
        for path, leads_to in self._links.items():
            if not self._links.keys().isdisjoint(path.parents):
                raise self._wrong(f"{inert_line(str(path))} lies behind a link")
            self._told_apart(str(path), partial(self._link, path, leads_to))

    def _told_apart(self, name: str, make: Callable[[], None]) -> None:
        try:
            make()
        except (FileExistsError, NotADirectoryError, IsADirectoryError):
            raise self._wrong(f"{inert_line(name)} is in it twice") from None

    def _link(self, path: PurePosixPath, leads_to: str) -> None:
        place = self._target / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.symlink_to(leads_to)

    def _members(self, archive: tarfile.TarFile) -> Iterator[tarfile.TarInfo]:
        while (member := archive.next()) is not None:
            yield member
            # It would keep them all, to be asked for by name.
            archive.members.clear()  # type: ignore[attr-defined]

    def _one(self, archive: tarfile.TarFile, member: tarfile.TarInfo) -> None:
        path = self._path(member.name)
        place = self._target / path
        if member.isdir():
            place.mkdir(parents=True, exist_ok=True)
        elif member.issym():
            self._links[path] = self._within(path, member.linkname)
        elif member.isreg():
            self._file(archive, member, place)
        else:
            name = inert_line(member.name)
            raise self._wrong(f"{name} is no file, no directory and no symbolic link")

    def _file(self, archive: tarfile.TarFile, member: tarfile.TarInfo, place: Path) -> None:
        self._size += member.size
        if self._size > MAX_TOTAL:
            raise _too_large(self._field)
        place.parent.mkdir(parents=True, exist_ok=True)
        source = archive.extractfile(member)
        if source is None:
            raise tarfile.ReadError("a file has no content")
        with source, place.open("xb") as file:
            shutil.copyfileobj(source, file, 1 << 16)
        place.chmod(0o755 if member.mode & 0o100 else 0o644)

    def _path(self, name: str) -> PurePosixPath:
        path = PurePosixPath(name)
        bad = path.is_absolute() or ".." in path.parts or "\0" in name
        if bad or len(name) > _MAX_NAME or len(path.parts) > _MAX_DEPTH:
            raise self._wrong(f"{inert_line(name)} is no path within it")
        return path

    def _within(self, path: PurePosixPath, leads_to: str) -> str:
        there = posixpath.normpath(posixpath.join(path.parent, leads_to))
        if posixpath.isabs(there) or there.split("/")[0] == ".." or "\0" in leads_to:
            raise self._wrong(f"{inert_line(str(path))} is a link that leads out of it")
        return leads_to

    def _wrong(self, reason: str) -> InvalidInput:
        return InvalidInput(f"{self._field}: {reason}", field=self._field)


def _too_large(field: str) -> InvalidInput:
    return InvalidInput(
        f"{field}: is over {format_size(MAX_TOTAL)} unpacked",
        hint="let install() download what is large",
        field=field,
    )
