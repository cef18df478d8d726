"""The index of an attempt's output: a record for each run of bytes of one stream."""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass

#: Offset u64, length u32, stream u8, padding, time f64.
RECORD = struct.Struct("<QIB3xd")
#: Where in a record its length stands.
LENGTH_AT = 8
_RECORDS_AT_ONCE = 1024


@dataclass(frozen=True, slots=True)
class Run:
    offset: int
    length: int
    stream: int
    at: float

    @property
    def end(self) -> int:
        return self.offset + self.length


def count(index: int) -> int:
    """How many records there are."""
    return os.fstat(index).st_size // RECORD.size


def runs(index: int, number: int) -> Iterator[Run]:
    """From the record of that number on."""
    while True:
        block = os.pread(index, _RECORDS_AT_ONCE * RECORD.size, number * RECORD.size)
        whole = len(block) // RECORD.size
        for record in RECORD.iter_unpack(block[: whole * RECORD.size]):
            yield Run(*record)
        if whole < _RECORDS_AT_ONCE:
            return
        number += whole


def find(index: int, offset: int) -> int:
    """The number of the last record that begins at or before ``offset``."""
    low, high = 0, count(index)
    while low < high:
        middle = (low + high) // 2
        record = os.pread(index, RECORD.size, middle * RECORD.size)
        if len(record) == RECORD.size and RECORD.unpack(record)[0] <= offset:
            low = middle + 1
        else:
            high = middle
    return max(low - 1, 0)
