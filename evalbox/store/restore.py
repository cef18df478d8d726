"""A data directory out of a backup: all of it or nothing."""

from __future__ import annotations

import contextlib
import shutil
import tarfile
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from evalbox.errors import Conflict, FileMissing, StoreCorrupt, StoreLocked
from evalbox.store import migrate
from evalbox.store.backup import DATABASE, TREES
from evalbox.store.files import COPY_BYTES, translate_os
from evalbox.store.lock import DataDirectoryLock
from evalbox.store.sqlite import Error, open_writer, translate
from evalbox.store.vault import SECRET_KEY


def restore(archive: Path, directory: Path, *, force: bool = False) -> Path | None:
    """Brings a backup back into ``directory``, which must be empty or not be there.

    With ``force``, what is there is kept aside, and its new path returned. The box gets a new id:
    should the old one still run somewhere, neither touches the other's sandboxes. Blocks.

    Raises ``FileMissing``, ``StoreCorrupt`` where the file is no sound backup, ``Conflict`` where
    the directory is not empty, ``StoreLocked`` where a process works in it, and ``StoreError``.
    """
    directory = directory.absolute()
    if not archive.is_file():
        raise FileMissing(f"there is no backup {archive}", hint="check the path")
    occupied = directory.exists() and (not directory.is_dir() or any(directory.iterdir()))
    if occupied and not force:
        raise Conflict(
            f"{directory} is not empty",
            hint="choose another directory, or use --force, which keeps the old one aside",
        )
    try:
        directory.parent.mkdir(parents=True, exist_ok=True)
        with _scratch(directory) as fresh, _owned(directory):
            _unpack(archive, fresh)
            _check(archive, fresh / DATABASE)
            return _swap(fresh, directory, occupied)
    except OSError as error:
        raise translate_os(error, directory) from error


@contextlib.contextmanager
def _scratch(directory: Path) -> Iterator[Path]:
    """A new directory beside, gone afterwards unless it has been moved."""
    path = Path(tempfile.mkdtemp(prefix=f".{directory.name}.restore-", dir=directory.parent))
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


@contextlib.contextmanager
def _owned(directory: Path) -> Iterator[None]:
    if not (directory / DATABASE).exists():
        yield
        return
    lock = DataDirectoryLock(directory)
    if not lock.try_acquire():
        raise StoreLocked(
            f"process {lock.holder()} works in {directory}", hint="stop it, then restore"
        )
    try:
        yield
    finally:
        lock.release()


def _unpack(archive: Path, target: Path) -> None:
    for name in TREES:
        (target / name).mkdir(mode=0o700)
    try:
        with tarfile.open(archive, "r:") as tar:
            for member in tar:
                path = target / _checked(member)
                path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                source = tar.extractfile(member)
                with path.open("xb") as file:
                    while source is not None and (data := source.read(COPY_BYTES)):
                        file.write(data)
                path.chmod(member.mode & 0o700 | 0o400)
    except (tarfile.TarError, ValueError, FileExistsError, NotADirectoryError) as error:
        raise StoreCorrupt(
            f"{archive} is not a backup, or is damaged ({error})", hint="use another backup"
        ) from error


def _checked(member: tarfile.TarInfo) -> PurePosixPath:
    """The path of a member, where it is one that a backup may hold. Raises ``ValueError``."""
    path = PurePosixPath(member.name)
    alone = member.name in (DATABASE, SECRET_KEY)
    allowed = alone or (len(path.parts) > 1 and path.parts[0] in TREES)
    if not member.isreg() or not allowed or ".." in path.parts or "\0" in member.name:
        raise ValueError(f"it holds {member.name!r}")
    return path


def _check(archive: Path, database: Path) -> None:
    if not database.exists():
        raise StoreCorrupt(f"{archive} holds no database", hint="use another backup")
    database.chmod(0o600)
    try:
        with contextlib.closing(open_writer(database)) as connection:
            version = migrate.check(connection, database)
            if version == 0:
                raise StoreCorrupt(f"the database in {archive} is empty", hint="use another backup")
            result = connection.execute("PRAGMA integrity_check(1)").fetchone()[0]
            if result != "ok":
                raise StoreCorrupt(
                    f"the database in {archive} is damaged ({result})", hint="use another backup"
                )
            connection.execute(
                "UPDATE meta SET value = lower(hex(randomblob(16))) WHERE key = 'box'"
            )
    except Error as error:
        raise translate(error, archive) from error


def _swap(fresh: Path, directory: Path, occupied: bool) -> Path | None:
    if not occupied:
        # Replaces an empty directory, and nothing else.
        fresh.rename(directory)
        return None
    stamp = time.strftime("%Y%m%d-%H%M%S")
    aside = directory.with_name(f"{directory.name}.before-restore-{stamp}")
    directory.rename(aside)
    try:
        fresh.rename(directory)
    except BaseException:
        aside.rename(directory)
        raise
    return aside
