"""Takes artifacts out of a tar that a hostile job may have made.

Only regular files are kept, under names that stay inside the directory; links, devices and all
else are listed as skipped and never made. ``tarfile`` reads the stream in a thread, through a pipe
that bounds what it may swallow for one header: it would read a header of any size into memory.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import tarfile
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import IO, Self, cast

from evalbox.domain.quantity import format_size
from evalbox.domain.records import ArtifactRecord
from evalbox.store.files import COPY_BYTES, sync_directory, translate_os
from evalbox.store.names import Names, Unusable, printable
from evalbox.store.pipe import Pipe, TooMuch
from evalbox.store.scorefile import ScoreFile

MAX_FILES = 10_000
_BUFFER_BYTES = 64 << 10
#: Bytes that the headers of one member may take.
_HEADER_BYTES = 256 << 10
#: Bytes that are read beyond what can be kept, so that what is left out can be named.
_SPARE_BYTES = 64 << 20
#: Bytes that are read beyond those, so that a stream of just so many is read to its end.
_SLACK_BYTES = 1 << 20


def wanted(max_bytes: int) -> int:
    """How many bytes of a tar are of use at most, where ``max_bytes`` of content may be kept."""
    return 4 * max_bytes + _SPARE_BYTES


async def extract(
    stream: AsyncIterator[bytes],
    directory: Path,
    *,
    max_bytes: int,
    max_files: int = MAX_FILES,
    score: ScoreFile | None = None,
) -> list[ArtifactRecord]:
    """Keeps the regular files of an uncompressed tar in ``directory``, which is made if need be.

    At most ``max_bytes`` of content and ``max_files`` entries; what does not fit is left out and
    said so, as is all that is no regular file. Where the tar breaks off or makes no sense, what was
    kept so far stays. The stream may not be read to its end where far more comes than fits. A file
    that is to hold the ``score`` comes first, and is read, not kept.

    Raises ``StoreError`` where the directory cannot be written, and what ``stream`` raises.
    """
    first = b""
    # No thread is taken before something comes, which may be at the end of a long run.
    while not first:
        try:
            first = await anext(stream)
        except StopAsyncIteration:
            return []
    loop = asyncio.get_running_loop()
    pipe = Pipe(loop, limit=wanted(max_bytes) + _SLACK_BYTES)
    extraction = _Extraction(pipe, directory, max_bytes, max_files, score)
    # A thread of its own: it waits for the stream, and the loop's few threads are for all.
    threads = ThreadPoolExecutor(1, thread_name_prefix="artifacts")
    worker = loop.run_in_executor(threads, extraction.run)
    feeder = asyncio.create_task(pipe.feed(stream, first), name="artifact stream")
    try:
        await asyncio.wait((feeder, worker), return_when=asyncio.FIRST_COMPLETED)
        if feeder.done():
            feeder.result()
        return await asyncio.shield(worker)
    finally:
        feeder.cancel()
        pipe.end()
        # It must not write any more once the caller goes on; it ends at once, as nothing comes.
        await asyncio.wait((feeder, worker))
        threads.shutdown()


class _Malformed(Exception):
    """The tar makes no sense; the text says why."""


class _Member(tarfile.TarInfo):
    @classmethod
    def fromtarfile(cls, tarfile_: tarfile.TarFile) -> Self:
        try:
            return super().fromtarfile(tarfile_)
        except tarfile.HeaderError as error:
            # Blocks of zeros are the end; tarfile takes a header that makes no sense for it too.
            if type(error).__name__ == "EOFHeaderError":
                raise
            raise _Malformed(str(error)) from error


class _Extraction:
    """One tar, read in a thread."""

    def __init__(
        self,
        pipe: Pipe,
        directory: Path,
        max_bytes: int,
        max_files: int,
        score: ScoreFile | None,
    ) -> None:
        self._pipe = pipe
        self._directory = directory
        self._room = max_bytes
        self._max_bytes = max_bytes
        self._max_files = max_files
        self._score = score
        self._names = Names()
        self._records: dict[str, ArtifactRecord] = {}
        # Beside the directory, where no name of a job can be.
        self._part = directory.with_name(directory.name + ".part")

    def run(self) -> list[ArtifactRecord]:
        try:
            self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._read()
            self._sync()
        except OSError as error:
            raise translate_os(error, self._directory) from error
        finally:
            with contextlib.suppress(OSError):
                self._part.unlink(missing_ok=True)
        self._pipe.drain()
        return list(self._records.values())

    def _read(self) -> None:
        try:
            self._allow(0)
            # The pipe has what tarfile needs of a file in this mode: read.
            tar = tarfile.open(  # noqa: SIM115 - there is nothing to close
                fileobj=cast(IO[bytes], self._pipe),
                mode="r|",
                bufsize=_BUFFER_BYTES,
                tarinfo=_Member,
                encoding="utf-8",
                errors="surrogateescape",
            )
            entries = 0
            while (member := self._next(tar)) is not None:
                entries += 1
                if entries > self._max_files:
                    raise _Malformed(f"more than {self._max_files} entries")
                self._take(tar, member)
        except OSError:
            raise
        except TooMuch:
            self._skip("", 0, "far more came than can be kept; the rest was not read")
        except Exception as error:
            # Hostile headers make tarfile raise nearly anything.
            reason = str(error) or type(error).__name__
            self._skip("", 0, f"the archive cannot be read further: {printable(reason)[:200]}")

    def _next(self, tar: tarfile.TarFile) -> tarfile.TarInfo | None:
        # What is left of the last member is passed over on the way to the next header.
        self._allow(self._ahead(tar))
        member = tar.next()
        # tarfile would remember them all.
        tar.members = []  # type: ignore[attr-defined]
        self._allow(self._ahead(tar))
        return member

    def _ahead(self, tar: tarfile.TarFile) -> int:
        position = tar.fileobj.tell() if tar.fileobj is not None else 0
        return max(0, tar.offset - position)

    def _allow(self, count: int) -> None:
        self._pipe.allow(count + _HEADER_BYTES + _BUFFER_BYTES)

    def _take(self, tar: tarfile.TarFile, member: tarfile.TarInfo) -> None:
        if self._score is not None and self._score.takes(tar, member, _kind(member)):
            return
        if member.isdir():
            return
        if not member.isreg():
            self._skip(member.name, member.size, f"it is {_kind(member)}")
            return
        if member.size > self._room:
            limit = format_size(self._max_bytes)
            self._skip(member.name, member.size, f"it goes beyond the limit of {limit} in all")
            return
        try:
            path, remark = self._names.place(member.name)
            self._copy(tar, member, self._directory / path)
        except Unusable as error:
            self._skip(member.name, member.size, str(error))
        except (FileExistsError, NotADirectoryError, IsADirectoryError):
            self._skip(member.name, member.size, "a file and a directory have the same name")
        else:
            self._keep(ArtifactRecord(path, member.size, member.mode & 0o777, reason=remark))

    def _copy(self, tar: tarfile.TarFile, member: tarfile.TarInfo, target: Path) -> None:
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
        source = tar.extractfile(member)
        with os.fdopen(os.open(self._part, flags, 0o600), "wb") as file:
            while source is not None and (data := source.read(COPY_BYTES)):
                file.write(data)
            # Set-user-id and the like are dropped; its owner can always read it.
            os.fchmod(file.fileno(), member.mode & 0o777 | 0o600)
        self._part.replace(target)

    def _keep(self, record: ArtifactRecord) -> None:
        # A later member of the same name replaces the earlier one, as with tar.
        earlier = self._records.pop(record.path, None)
        self._room -= record.size - (earlier.size if earlier else 0)
        self._records[record.path] = record

    def _skip(self, name: str, size: int, reason: str) -> None:
        path = printable(name)[:1024]
        # Under a key that no kept file can have.
        key = f"/{len(self._records)}"
        self._records[key] = ArtifactRecord(path, max(0, size), 0, "skipped", reason)

    def _sync(self) -> None:
        directories = {self._directory}
        for record in self._records.values():
            if record.kind == "file":
                path = self._directory / record.path
                directories.add(path.parent)
                with path.open("rb") as file:
                    os.fsync(file.fileno())
        for directory in directories:
            sync_directory(directory)


def _kind(member: tarfile.TarInfo) -> str:
    if member.issym():
        return "a symbolic link"
    if member.islnk():
        return "a hard link"
    if member.isfifo():
        return "a named pipe"
    if member.isdev():
        return "a device"
    if member.isdir():
        return "a directory"
    return "no regular file"
