"""A data directory as one file.

The file is a tar without compression: the database first, then what belongs to it, the key to its
secrets included. It can be read with nothing but ``tar`` and ``sqlite3``.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import tarfile
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

from evalbox.errors import Conflict, StoreError
from evalbox.store.access import Access
from evalbox.store.files import SCRATCH, sync_directory, translate_os
from evalbox.store.sqlite import Error, open_reader, translate
from evalbox.store.vault import SECRET_KEY

DATABASE = "evalbox.db"
#: The directories beside the database that belong to it.
TREES = ("blobs", "attempts")


class Backup(Access):
    async def backup(self, target: Path) -> None:
        """Writes everything into one new file, while evaluations go on.

        The database is of one moment; outputs may hold a little more than it knows of. Cancelled,
        it leaves nothing behind. Raises ``Conflict`` where ``target`` exists, and ``StoreError``.
        """
        stop = threading.Event()
        work = asyncio.create_task(
            asyncio.to_thread(_write, self.directory, target, stop), name="backup"
        )
        try:
            await asyncio.shield(work)
        except asyncio.CancelledError:
            stop.set()
            await asyncio.wait((work,))
            raise


def _write(directory: Path, target: Path, stop: threading.Event) -> None:
    target = target.absolute()
    if target.exists():
        raise Conflict(f"{target} exists already", hint="choose a new name for the backup")
    try:
        with (
            tempfile.TemporaryDirectory(prefix=SCRATCH, dir=directory) as scratch,
            _new_file(target) as part,
            tarfile.open(part, "w", format=tarfile.PAX_FORMAT) as tar,
        ):
            snapshot = Path(scratch) / DATABASE
            _snapshot(directory / DATABASE, snapshot)
            tar.add(snapshot, DATABASE)
            # After the database, which may have been the first to need one.
            _add(tar, directory / SECRET_KEY, SECRET_KEY)
            for path in _files(directory):
                if stop.is_set():
                    raise StoreError("the backup was stopped")
                _add(tar, path, str(path.relative_to(directory)))
    except OSError as error:
        raise translate_os(error, target) from error


@contextlib.contextmanager
def _new_file(target: Path) -> Iterator[Path]:
    """A file that becomes ``target`` when all went well, and else is gone."""
    descriptor, name = tempfile.mkstemp(prefix=f".{target.name[:64]}.", dir=target.parent)
    part = Path(name)
    try:
        yield part
        os.fsync(descriptor)
        # Unlike a rename, a link refuses to replace what has come into being meanwhile.
        target.hardlink_to(part)
        sync_directory(target.parent)
    except FileExistsError:
        raise Conflict(f"{target} exists already", hint="choose a new name") from None
    finally:
        os.close(descriptor)
        part.unlink(missing_ok=True)


def _snapshot(database: Path, target: Path) -> None:
    try:
        with contextlib.closing(open_reader(database)) as connection:
            # The one copy that neither waits for a pause in the writing nor holds it up.
            connection.execute("PRAGMA query_only = OFF")
            connection.execute("VACUUM INTO ?", (str(target),))
    except Error as error:
        raise translate(error, database) from error


def _files(directory: Path) -> Iterator[Path]:
    for tree in TREES:
        for folder, folders, names in os.walk(directory / tree):
            folders.sort()
            # Each index comes before its output, which then holds at least what it tells of.
            for name in sorted(names, key=lambda name: (name != "output.idx", name)):
                yield Path(folder) / name


def _add(tar: tarfile.TarFile, path: Path, name: str) -> None:
    try:
        # What is appended while it is copied is left out: the size is taken once, here.
        with path.open("rb") as file:
            tar.addfile(tar.gettarinfo(arcname=name, fileobj=file), file)
    except FileNotFoundError:
        # Its evaluation was removed meanwhile; or there has been no secret yet.
        return
