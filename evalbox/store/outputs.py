"""The output of attempts: bytes in the order of their arrival, and an index that tells them apart.

``output`` holds the bytes of both streams as they came. ``output.idx`` holds a record of 24 bytes
for each run of bytes: offset and length in ``output``, stream, time. Bytes are written before
their record, so what the index covers is there. After a crash, bytes that no record covers are cut
off: whose they were is not known, and the engine gives them again to a reader that has seen as
much as ``OutputWriter.per_stream`` says.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import struct
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from evalbox.domain.records import OutputPiece
from evalbox.store.catalogue import Catalogue
from evalbox.store.files import sync_directory, translate_os
from evalbox.store.output_reader import read_ends, read_output
from evalbox.store.runs import LENGTH_AT, RECORD, Run, runs

_LENGTH = struct.Struct("<I")

#: Bytes of one stream that arrive within this time, in seconds, share a record, up to a size.
MERGE_WITHIN = 0.05
MERGE_BYTES = 1 << 20

STDOUT, STDERR = 1, 2


class OutputWriter:
    """Appends to the output of one attempt. Not for several threads at once.

    Nothing is created before the first byte. Opened on what an earlier process left, it mends the
    end and goes on behind it. ``bytes`` is how much there is, ``per_stream`` how much of each.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._data = -1
        self._index = -1
        self._records = 0
        self._last: Run | None = None
        self.bytes = 0
        self.per_stream: dict[int, int] = {STDOUT: 0, STDERR: 0}
        if (directory / "output").exists():
            with self._errors():
                self._open()

    def append(self, stream: int, data: bytes, at: float) -> None:
        """Adds bytes that arrived at ``at``. Raises ``StoreError``; then none of them was kept."""
        if not data:
            return
        with self._errors():
            if self._data < 0:
                self._open()
            try:
                _write(self._data, data, self.bytes)
                self._extend(stream, len(data), at)
            except OSError:
                os.ftruncate(self._data, self.bytes)
                os.ftruncate(self._index, self._records * RECORD.size)
                raise
        self.bytes += len(data)
        self.per_stream[stream] = self.per_stream.get(stream, 0) + len(data)

    def close(self, sync: bool = True) -> None:
        """Closes the files; with ``sync``, they are on the disk when it returns."""
        if self._data < 0:
            return
        try:
            if sync:
                with self._errors():
                    os.fsync(self._data)
                    os.fsync(self._index)
                    sync_directory(self._directory)
        finally:
            os.close(self._data)
            os.close(self._index)
            self._data = self._index = -1

    def _extend(self, stream: int, length: int, at: float) -> None:
        last = self._last
        if (
            last is not None
            and last.stream == stream
            and 0 <= at - last.at <= MERGE_WITHIN
            and last.length + length <= MERGE_BYTES
        ):
            # Only the length changes, in one write of four bytes: a reader sees the old or the new.
            place = (self._records - 1) * RECORD.size + LENGTH_AT
            _write(self._index, _LENGTH.pack(last.length + length), place)
            self._last = replace(last, length=last.length + length)
        else:
            run = Run(self.bytes, length, stream, at)
            record = RECORD.pack(run.offset, run.length, run.stream, run.at)
            _write(self._index, record, self._records * RECORD.size)
            self._records += 1
            self._last = run

    def _open(self) -> None:
        self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        self._data = os.open(self._directory / "output", flags, 0o600)
        try:
            self._index = os.open(self._directory / "output.idx", flags, 0o600)
            self._mend()
        except BaseException:
            self.close(sync=False)
            raise

    def _mend(self) -> None:
        """Makes the data and the index agree, and counts what there is."""
        size = os.fstat(self._data).st_size
        for run in runs(self._index, 0):
            if run.offset != self.bytes or run.length == 0 or run.end > size:
                break
            self.bytes = run.end
            self.per_stream[run.stream] = self.per_stream.get(run.stream, 0) + run.length
            self._records += 1
            self._last = run
        os.ftruncate(self._data, self.bytes)
        os.ftruncate(self._index, self._records * RECORD.size)

    @contextlib.contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise translate_os(error, self._directory / "output") from error


def _write(descriptor: int, data: bytes, offset: int) -> None:
    view = memoryview(data)
    while view:
        written = os.pwrite(descriptor, view, offset)
        view, offset = view[written:], offset + written


class Outputs(Catalogue):
    def output_writer(self, evaluation_id: str, attempt: int) -> OutputWriter:
        """Touches the disk only where there is output already. Raises ``StoreError``."""
        self._writer_or_refuse()
        return OutputWriter(self.attempt_dir(evaluation_id, attempt))

    async def read_output(
        self, evaluation_id: str, attempt: int, offset: int = 0, limit: int = 1 << 20
    ) -> list[OutputPiece]:
        """Up to ``limit`` bytes of an attempt's output from ``offset`` on, in order."""
        directory = self.attempt_dir(evaluation_id, attempt)
        return await asyncio.to_thread(read_output, directory, offset, limit)

    async def read_ends(
        self, evaluation_id: str, attempt: int, stream: int, size: int
    ) -> list[bytes]:
        """Of one stream of an attempt's output the whole, or its first and last ``size`` bytes."""
        directory = self.attempt_dir(evaluation_id, attempt)
        return await asyncio.to_thread(read_ends, directory, stream, size)
