"""Docker's output framing, however the connection cuts it into pieces."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalbox.engines.base import Chunk, Stream
from evalbox.engines.docker.frames import Demultiplexer
from evalbox.errors import EngineError

FRAMES = st.lists(st.tuples(st.sampled_from(Stream), st.binary(max_size=200)), max_size=12)
PLACES = st.lists(st.integers(0, 10_000), max_size=40)


def encode(frames: list[tuple[Stream, bytes]]) -> bytes:
    return b"".join(
        bytes([stream, 0, 0, 0]) + len(data).to_bytes(4, "big") + data for stream, data in frames
    )


def cut(data: bytes, places: list[int]) -> list[bytes]:
    ends = sorted({place % (len(data) + 1) for place in places} | {0, len(data)})
    return [data[start:end] for start, end in pairwise(ends)]


def joined(chunks: list[Chunk]) -> dict[Stream, bytes]:
    return {
        stream: b"".join(chunk.data for chunk in chunks if chunk.stream is stream)
        for stream in Stream
    }


def wanted(frames: list[tuple[Stream, bytes]]) -> dict[Stream, bytes]:
    return {
        stream: b"".join(data for which, data in frames if which is stream) for stream in Stream
    }


@given(FRAMES, PLACES)
def test_any_cut_gives_the_same_bytes(
    frames: list[tuple[Stream, bytes]], places: list[int]
) -> None:
    parser = Demultiplexer()
    chunks = [chunk for piece in cut(encode(frames), places) for chunk in parser.feed(piece)]
    assert joined(chunks) == wanted(frames)
    assert all(chunk.data for chunk in chunks)


@given(
    FRAMES, st.lists(st.integers(0, 10_000), max_size=20), st.integers(0, 600), st.integers(0, 600)
)
def test_skipped_bytes_are_left_out(
    frames: list[tuple[Stream, bytes]], places: list[int], out: int, err: int
) -> None:
    parser = Demultiplexer({Stream.STDOUT: out, Stream.STDERR: err})
    chunks = [chunk for piece in cut(encode(frames), places) for chunk in parser.feed(piece)]
    whole = wanted(frames)
    assert joined(chunks) == {
        Stream.STDOUT: whole[Stream.STDOUT][out:],
        Stream.STDERR: whole[Stream.STDERR][err:],
    }


def test_a_frame_of_a_gibibyte_is_not_collected() -> None:
    parser = Demultiplexer()
    list(parser.feed(bytes([1, 0, 0, 0]) + (1 << 30).to_bytes(4, "big")))
    assert [len(chunk.data) for chunk in parser.feed(bytes(1000))] == [1000]


def test_a_complaint_of_the_engine_is_an_error() -> None:
    parser = Demultiplexer()
    text = b"could not read the log"
    with pytest.raises(EngineError, match="could not read the log"):
        list(parser.feed(bytes([3, 0, 0, 0]) + len(text).to_bytes(4, "big") + text))


def test_what_is_no_frame_is_an_error() -> None:
    with pytest.raises(EngineError, match="cannot be read"):
        list(Demultiplexer().feed(b"HTTP/1.1 500"))
