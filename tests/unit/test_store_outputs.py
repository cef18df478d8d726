import errno
import os
import struct
from pathlib import Path

import pytest

from evalbox.domain.records import OutputPiece
from evalbox.errors import StoreFull
from evalbox.store.output_reader import read_ends, read_output
from evalbox.store.outputs import OutputWriter

RECORD = 24


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return tmp_path / "1"


def test_nothing_is_made_before_the_first_byte(directory: Path) -> None:
    writer = OutputWriter(directory)
    writer.append(1, b"", 0.0)
    assert not directory.exists()
    assert read_output(directory, 0, 100) == []
    writer.close()


def test_streams_come_back_in_order(directory: Path) -> None:
    writer = OutputWriter(directory)
    writer.append(1, b"out", 10.0)
    writer.append(2, b"err\xff\x00", 10.01)
    writer.append(1, b"more", 10.02)
    assert read_output(directory, 0, 100) == [
        OutputPiece(0, 1, 10.0, b"out"),
        OutputPiece(3, 2, 10.01, b"err\xff\x00"),
        OutputPiece(8, 1, 10.02, b"more"),
    ]
    assert writer.bytes == 12
    assert writer.per_stream == {1: 7, 2: 5}
    writer.close()
    writer.close()


def test_what_comes_close_together_shares_a_record(directory: Path) -> None:
    writer = OutputWriter(directory)
    for number in range(10):
        writer.append(1, b"x", 1.0 + number / 128)
    writer.close(sync=False)
    pieces = read_output(directory, 0, 100)
    assert [(piece.at, piece.data) for piece in pieces] == [(1.0, b"x" * 7), (1.0546875, b"x" * 3)]
    assert (directory / "output.idx").stat().st_size == 2 * RECORD


def test_any_stretch_can_be_read(directory: Path) -> None:
    writer = OutputWriter(directory)
    for number in range(3000):
        writer.append(1 + number % 2, b"%05d" % number, float(number))
    writer.close(sync=False)
    whole = b"".join(b"%05d" % number for number in range(3000))
    for start, limit in [(0, 1), (4, 3), (7501, 12), (14_990, 100), (0, 1 << 20), (15_000, 5)]:
        pieces = read_output(directory, start, limit)
        assert b"".join(piece.data for piece in pieces) == whole[start : start + limit]
        if pieces:
            assert pieces[0].offset == start


@pytest.mark.parametrize(
    ("data", "index", "left"),
    [
        (b"unknown", b"", b"onetwo"),  # bytes whose record was not written
        (b"", b"\1\2\3", b"onetwo"),  # half a record
        (b"", struct.pack("<QIB3xd", 6, 50, 1, 3.0), b"onetwo"),  # a record without its bytes
        (b"zz", struct.pack("<QIB3xd", 99, 1, 1, 3.0), b"onetwo"),  # a record of nonsense
    ],
)
def test_a_torn_end_is_mended(directory: Path, data: bytes, index: bytes, left: bytes) -> None:
    writer = OutputWriter(directory)
    writer.append(1, b"one", 1.0)
    writer.append(2, b"two", 2.0)
    writer.close()
    with (directory / "output").open("ab") as file:
        file.write(data)
    with (directory / "output.idx").open("ab") as file:
        file.write(index)
    again = OutputWriter(directory)
    assert (again.bytes, again.per_stream) == (6, {1: 3, 2: 3})
    again.append(1, b"!", 2.01)
    again.close()
    assert b"".join(piece.data for piece in read_output(directory, 0, 100)) == left + b"!"


def test_lost_data_is_dropped_from_the_index(directory: Path) -> None:
    writer = OutputWriter(directory)
    writer.append(1, b"one", 1.0)
    writer.append(2, b"two", 2.0)
    writer.close()
    os.truncate(directory / "output", 4)
    again = OutputWriter(directory)
    assert (again.bytes, again.per_stream) == (3, {1: 3, 2: 0})
    again.close()


def test_a_full_disk_loses_only_what_did_not_fit(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer = OutputWriter(directory)
    writer.append(1, b"one", 1.0)
    real, room = os.pwrite, [2]

    def full(descriptor: int, data: bytes, offset: int) -> int:
        if not room[0]:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        part = bytes(data)[: room[0]]
        room[0] -= len(part)
        return real(descriptor, part, offset)

    monkeypatch.setattr(os, "pwrite", full)
    with pytest.raises(StoreFull):
        writer.append(2, b"second", 2.0)
    monkeypatch.undo()
    assert writer.bytes == 3
    writer.append(1, b"!", 9.0)
    writer.close()
    assert [piece.data for piece in read_output(directory, 0, 100)] == [b"one", b"!"]


def test_no_link_is_followed(directory: Path, tmp_path: Path) -> None:
    directory.mkdir()
    (tmp_path / "victim").write_bytes(b"mine")
    (directory / "output").symlink_to(tmp_path / "victim")
    with pytest.raises(Exception, match="output"):
        OutputWriter(directory)
    assert (tmp_path / "victim").read_bytes() == b"mine"


def test_the_ends_of_a_stream(directory: Path) -> None:
    assert read_ends(directory, 2, 10) == []
    writer = OutputWriter(directory)
    writer.append(1, b"o" * 100, 0.0)
    assert read_ends(directory, 2, 10) == [b""]
    for number in range(5):
        writer.append(2, b"err%d" % number, float(number))
        writer.append(1, b"o" * 100, float(number))
    whole = b"err0err1err2err3err4"
    assert read_ends(directory, 2, 30) == [whole]
    assert read_ends(directory, 2, 20) == [whole]
    # Two ends that meet are one.
    assert read_ends(directory, 2, 11) == [whole]
    assert read_ends(directory, 2, 10) == [whole[:10], whole[10:]]
    assert read_ends(directory, 2, 6) == [b"err0er", b"r3err4"]
    writer.close()


def test_the_ends_of_a_stream_in_many_pieces(directory: Path) -> None:
    writer = OutputWriter(directory)
    for number in range(10_000):
        writer.append(1 + number % 2, b"%04d," % number, float(number))
    head, tail = read_ends(directory, 2, 1 << 20)
    assert head.startswith(b"0001,0003,")
    assert tail.endswith(b"9997,9999,")
    assert int(head[-5:-1]) == 4095
    assert int(tail[:4]) == 10_000 - 4096 + 1
    writer.close()
