"""Files and directories that a user sends along: ``SRC[:DEST]``, read with distrust.

A link that was named is followed. One that was met inside a directory is followed only to what is
in that directory too, so that sending a directory never sends anything else.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from evalbox.domain.limits import GIB
from evalbox.domain.paths import destination
from evalbox.domain.quantity import format_size
from evalbox.errors import InvalidInput
from evalbox.tasks.base import TaskFile, check_readable, unreadable

MAX_TOTAL = 1 * GIB
MAX_FILES = 10_000


def collect(references: Sequence[str]) -> tuple[TaskFile, ...]:
    """The files that the references stand for.

    Raises ``FileMissing`` or ``InvalidInput``: for what is no file, for two files that would get
    the same path, and beyond ``MAX_TOTAL`` bytes or ``MAX_FILES`` files.
    """
    return _bounded(
        (f"--file {reference}", file, size)
        for reference in references
        for file, size in _read(reference)
    )


def directory_files(
    root: Path, place: str, *, left_out: frozenset[str] = frozenset()
) -> tuple[TaskFile, ...]:
    """All that is in the directory ``root``, but what is called so, for ``place`` in the sandbox.

    Raises ``InvalidInput`` and ``FileMissing``, as ``collect`` does.
    """
    found = _Directory(root, left_out).files(place)
    return _bounded((str(root), file, size) for file, size in found)


def kept_path(text: str, *, field: str = "--artifact") -> str:
    """A path to keep, absolute or beneath the working directory, as it was given.

    Raises ``InvalidInput``.
    """
    destination(text, field=field)
    return str(PurePosixPath(text))


def _bounded(sent: Iterable[tuple[str, TaskFile, int]]) -> tuple[TaskFile, ...]:
    """Each with what named it, and its size."""
    found: dict[str, TaskFile] = {}
    total = 0
    for where, file, size in sent:
        if file.path in found:
            raise InvalidInput(
                f"--file: two files for {file.path} in the sandbox", hint="change one DEST"
            )
        found[file.path] = file
        total += size
        if total > MAX_TOTAL:
            raise InvalidInput(
                f"{where}: all files together are over {format_size(MAX_TOTAL)}",
                hint="send less, or put the data into an image",
            )
        if len(found) > MAX_FILES:
            raise InvalidInput(f"{where}: more than {MAX_FILES} files", hint="send one archive")
    return tuple(found.values())


def _read(reference: str) -> Iterator[tuple[TaskFile, int]]:
    source, target = _split(reference)
    try:
        mode = source.stat().st_mode
        name = source.resolve().name if source.name in ("", ".", "..") else source.name
    except OSError as error:
        raise unreadable(source, error) from error
    except ValueError:
        raise InvalidInput(f"--file: {reference!r} is not a possible path", field="file") from None
    target = target + name if target is not None and target.endswith("/") else target
    place = destination(name if target is None else target, field="--file")
    if stat.S_ISDIR(mode):
        yield from _Directory(source).files(place)
    else:
        yield _file(source, place)


def _split(reference: str) -> tuple[Path, str | None]:
    """A colon parts source and destination, unless there is a file of just that name."""
    source, colon, target = reference.rpartition(":")
    if not colon or os.path.lexists(reference.replace("\0", "")):
        return Path(reference), None
    if not source or not target:
        raise InvalidInput(
            f"--file {reference}: is not SRC or SRC:DEST",
            hint="for example --file data.csv:/home/agent/in.csv",
            field="file",
        )
    return Path(source), target


def _file(source: Path, place: str) -> tuple[TaskFile, int]:
    try:
        check_readable(source)
        info = source.stat()
        readable = os.access(source, os.R_OK)
    except OSError as error:
        raise unreadable(source, error) from error
    if not readable:
        raise InvalidInput(
            f"{source}: cannot be read: permission denied", hint="check the file's permissions"
        )
    mode = 0o755 if info.st_mode & stat.S_IXUSR else 0o644
    return TaskFile(place, source, mode), info.st_size


@dataclass(frozen=True, slots=True)
class _Directory:
    root: Path
    left_out: frozenset[str] = frozenset()

    def files(self, place: str) -> Iterator[tuple[TaskFile, int]]:
        yield from self._walk(self.root, place, frozenset())

    def _walk(
        self, directory: Path, place: str, above: frozenset[Path]
    ) -> Iterator[tuple[TaskFile, int]]:
        real = directory.resolve()
        if real in above:
            raise InvalidInput(f"{directory}: is a link to a directory that it is in")
        try:
            entries = sorted(one for one in directory.iterdir() if one.name not in self.left_out)
        except OSError as error:
            raise unreadable(directory, error) from error
        for entry in entries:
            target = destination(f"{place}/{entry.name}", field="--file")
            if entry.is_symlink():
                self._check_link(entry)
            if entry.is_dir():
                yield from self._walk(entry, target, above | {real})
            else:
                yield _file(entry, target)

    def _check_link(self, link: Path) -> None:
        try:
            target = link.resolve(strict=True)
        except (OSError, RuntimeError):
            raise InvalidInput(f"{link}: is a link to nothing", hint="remove it") from None
        if not target.is_relative_to(self.root.resolve()):
            raise InvalidInput(
                f"{link}: is a link to {target}, outside {self.root}",
                hint="copy what it links to, or send that with a --file of its own",
            )
