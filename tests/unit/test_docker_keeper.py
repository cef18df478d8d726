"""The envelope that the artifacts of a sandbox come in."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from evalbox.engines.docker.keeper import Envelope

MARK = b"mark\n"


def opened(data: bytes, sizes: list[int]) -> tuple[bytes, Envelope]:
    envelope = Envelope(MARK)
    inside = b""
    for size in [*sizes, len(data)]:
        piece, data = data[:size], data[size:]
        if piece and not envelope.closed:
            inside += envelope.feed(piece)
    return inside, envelope


@given(st.binary(max_size=300), st.lists(st.integers(1, 50), max_size=60))
def test_what_lies_within_comes_out_whole(content: bytes, sizes: list[int]) -> None:
    inside, envelope = opened(MARK + content + MARK, sizes)
    assert envelope.closed
    assert inside == content


@given(st.binary(max_size=100), st.lists(st.integers(1, 50), max_size=60))
def test_a_complaint_is_no_content(content: bytes, sizes: list[int]) -> None:
    inside, envelope = opened(b"OCI runtime exec failed" + content, sizes)
    assert (inside, envelope.opened, envelope.alien) == (b"", False, True)


@given(st.integers(0, 40), st.lists(st.integers(1, 9), max_size=40))
def test_what_is_cut_off_is_not_closed(length: int, sizes: list[int]) -> None:
    inside, envelope = opened((MARK + bytes(40) + MARK)[: length + 5], sizes)
    assert not envelope.closed
    assert inside == bytes(len(inside))
