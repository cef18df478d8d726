"""Reads the kept output of an attempt, also while it is being written."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from evalbox.domain.records import OutputPiece
from evalbox.store.files import translate_os
from evalbox.store.runs import count, find, runs

#: Records at each end of an index that are looked at for the ends of a stream.
_LOOKED_AT = 4096


def read_output(directory: Path, offset: int, limit: int) -> list[OutputPiece]:
    """Up to ``limit`` bytes of an attempt's output from ``offset`` on, in order.

    Empty at the end, or where there is no output. Safe while it is being written.
    """
    try:
        with _opened(directory) as (index, data):
            return list(_pieces(index, data, offset, offset + limit))
    except FileNotFoundError:
        return []


def read_ends(directory: Path, stream: int, size: int) -> list[bytes]:
    """What is kept of one stream: the whole, or its first and its last ``size`` bytes.

    Of a stream that came in very many small pieces between those of the other, less may be found.
    """
    try:
        with _opened(directory) as (index, data):
            return _ends(index, data, stream, size)
    except FileNotFoundError:
        return []
    except OSError as error:
        raise translate_os(error, directory / "output") from error


def _ends(index: int, data: int, stream: int, size: int) -> list[bytes]:
    head = bytearray()
    end = 0
    for run in islice(runs(index, 0), _LOOKED_AT):
        part = min(run.length, size - len(head)) if run.stream == stream else run.length
        if run.stream == stream:
            head += os.pread(data, part, run.offset)
        end = run.offset + part
        if len(head) == size:
            break
    tail = b""
    first = max(0, count(index) - _LOOKED_AT)
    last = list(islice(runs(index, first), _LOOKED_AT))
    for run in reversed(last):
        start = max(run.offset, end, run.end - (size - len(tail)))
        if run.stream == stream and start < run.end:
            tail = os.pread(data, run.end - start, start) + tail
    if not tail:
        return [bytes(head)]
    # Nothing lies between the two where the one was read back to the other.
    whole = len(tail) < size and bool(last) and last[0].offset <= end
    return [bytes(head) + tail] if whole else [bytes(head), tail]


def _pieces(index: int, data: int, start: int, stop: int) -> Iterator[OutputPiece]:
    for run in runs(index, find(index, start)):
        if run.offset >= stop:
            return
        first, last = max(run.offset, start), min(run.end, stop)
        content = os.pread(data, last - first, first) if last > first else b""
        if content:
            yield OutputPiece(first, run.stream, run.at, content)


@contextlib.contextmanager
def _opened(directory: Path) -> Iterator[tuple[int, int]]:
    """Index and data of an attempt's output, to be read."""
    with contextlib.ExitStack() as stack:
        opened = []
        for name in ("output.idx", "output"):
            opened.append(os.open(directory / name, os.O_RDONLY | os.O_CLOEXEC))
            stack.callback(os.close, opened[-1])
        yield opened[0], opened[1]
