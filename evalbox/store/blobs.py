"""Input files, kept once each under the SHA-256 of their content."""

from __future__ import annotations

import asyncio
import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

from evalbox.errors import FileMissing, InvalidInput
from evalbox.store.access import Access
from evalbox.store.files import COPY_BYTES, delete, translate_os, write_atomically
from evalbox.store.sqlite import Connection

#: A blob that no evaluation needs is kept this long after it was put, in seconds.
GRACE = 86400.0
#: The same for blobs of evaluations that have been removed: somebody may be about to submit what
#: was put while the evaluation was there.
REMOVED_GRACE = 600.0

_HEX = frozenset("0123456789abcdef")


class Blobs(Access):
    def blob_path(self, sha: str) -> Path:
        """Where a blob's content lies, whether it is there or not."""
        if len(sha) != 64 or not _HEX.issuperset(sha):
            raise InvalidInput(f"{sha!r} is not a SHA-256 in hexadecimal", field="blob")
        return self.directory / "blobs" / sha[:2] / sha

    async def put_blob(self, data: bytes) -> tuple[str, int]:
        """Keeps ``data``; returns its SHA-256 and its size. Raises ``StoreError``."""
        self._writer_or_refuse()
        return await asyncio.to_thread(self._put_bytes, data)

    async def put_blob_file(self, path: Path) -> tuple[str, int]:
        """Keeps what a file holds now; returns its SHA-256 and its size.

        Raises ``FileMissing`` and ``InvalidInput`` for a path that is no readable file, and
        ``StoreError``.
        """
        self._writer_or_refuse()
        return await asyncio.to_thread(self._put_file, path)

    async def read_blob(self, sha: str) -> bytes:
        """A blob's content. Raises ``FileMissing``."""
        path = self.blob_path(sha)
        try:
            return await asyncio.to_thread(path.read_bytes)
        except FileNotFoundError:
            raise FileMissing(f"no blob {sha[:12]} is in the store") from None

    def _put_bytes(self, data: bytes) -> tuple[str, int]:
        sha = hashlib.sha256(data).hexdigest()
        self._keep(sha, iter((data,)))
        return sha, len(data)

    def _put_file(self, path: Path) -> tuple[str, int]:
        try:
            if not path.is_file():
                if path.exists():
                    raise InvalidInput(f"{path} is not a file", hint="give a regular file")
                raise FileMissing(f"{path} does not exist", hint="check the path")
            sha, size = _digest(path)
        except OSError as error:
            raise InvalidInput(f"{path} cannot be read ({error.strerror})") from None
        # Verified while it is copied: the file may change between the two readings.
        self._keep(sha, _verified(path, sha))
        return sha, size

    def _keep(self, sha: str, chunks: Iterator[bytes]) -> None:
        path = self.blob_path(sha)
        now = self.clock.now()
        try:
            try:
                # Starts its grace anew, so that it outlives the time until it is submitted.
                os.utime(path, (now, now))
            except FileNotFoundError:
                write_atomically(path, chunks, mode=0o400)
                os.utime(path, (now, now))
        except OSError as error:
            raise translate_os(error, path) from error


def delete_unreferenced(conn: Connection, path: Path, older_than: float) -> bool:
    """Deletes a blob that no evaluation needs and that was put before ``older_than``.

    Called inside a write transaction: no submission can come to need it in between.
    """
    needed = conn.execute(
        "SELECT 1 FROM inputs WHERE blob = :blob"
        " UNION ALL SELECT 1 FROM reduction_inputs WHERE blob = :blob LIMIT 1",
        {"blob": path.name},
    ).fetchone()
    try:
        if needed or path.stat().st_mtime > older_than:
            return False
    except FileNotFoundError:
        return False
    delete(path)
    return True


def _digest(path: Path) -> tuple[str, int]:
    digest, size = hashlib.sha256(), 0
    with path.open("rb") as file:
        while chunk := file.read(COPY_BYTES):
            digest.update(chunk)
            size += len(chunk)
    return digest.hexdigest(), size


def _verified(path: Path, sha: str) -> Iterator[bytes]:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(COPY_BYTES):
            digest.update(chunk)
            yield chunk
    if digest.hexdigest() != sha:
        raise InvalidInput(f"{path} changed while it was read", hint="submit it again")
