"""The end of a program's output is found in its stream, however that is cut."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from evalbox.engines.docker.trailer import Trailer

MARK = b"evalbox-end:0123 "


@given(st.binary(max_size=60), st.integers(0, 255), st.lists(st.integers(1, 9), max_size=40))
def test_whatever_the_pieces_the_output_is_whole(output, status, sizes):
    stream = output + MARK + b"%d\n" % status + b"of a daemon"
    trailer = Trailer(MARK)
    found = b""
    for size in [*sizes, len(stream)]:
        piece, stream = stream[:size], stream[size:]
        found += trailer.feed(piece)
    assert (found, trailer.status, trailer.rest()) == (output, status, b"")


def test_what_only_begins_like_the_mark_is_output():
    trailer = Trailer(MARK)
    assert trailer.feed(b"a" + MARK[:5]) == b"a"
    assert trailer.feed(b"b") == MARK[:5] + b"b"
    assert trailer.status is None


def test_what_was_held_back_at_the_end_is_output():
    trailer = Trailer(MARK)
    assert trailer.feed(MARK[:7]) == b""
    assert trailer.rest() == MARK[:7]
    assert trailer.rest() == b""


def test_the_line_may_end_as_on_a_terminal():
    trailer = Trailer(MARK)
    assert trailer.feed(b"x" + MARK + b"7\r\n") == b"x"
    assert trailer.status == 7


def test_a_line_that_is_no_status_is_a_failure():
    trailer = Trailer(MARK)
    trailer.feed(MARK + b"seven\n")
    assert trailer.status == 255
