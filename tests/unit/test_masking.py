"""Secrets in what is printed."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from evalbox.domain.masking import Mask, confidential


def masked(values: list[str], *pieces: bytes) -> bytes:
    mask = Mask(values)
    return b"".join(map(mask, pieces)) + mask.rest()


def test_a_value_is_hidden_wherever_it_is_cut() -> None:
    text = b"before secret-1 secret-1 after"
    for cut in range(len(text) + 1):
        assert masked(["secret-1"], text[:cut], text[cut:]) == b"before *** *** after"
    assert masked(["secret-1"], *(bytes([one]) for one in text)) == b"before *** *** after"


def test_what_is_short_is_told_and_what_is_longest_is_hidden_whole() -> None:
    assert masked(["", "short"], b"short") == b"short"
    assert masked(["secret", "secret-and-more"], b"secret-and", b"-more secret") == b"*** ***"
    assert masked(["secret", "secret-and-more"], b"secret-and", b"-less") == b"***-and-less"
    assert masked(["a\nb\nc\nd"], b"a\nb\n", b"c\nd") == b"***"
    assert masked([".*.*.*"], b"anything .*.*.*") == b"anything ***"


def test_what_only_begins_like_a_value_is_told_in_the_end() -> None:
    mask = Mask(["secret-1"])
    assert mask(b"the secret") == b"the "
    assert mask.rest() == b"secret"
    assert mask.rest() == b""


@given(
    st.lists(st.text("ab", min_size=6, max_size=9), max_size=4),
    st.lists(st.text("ab", max_size=20), max_size=8),
)
def test_no_value_is_ever_told(values: list[str], pieces: list[str]) -> None:
    told = masked(values, *(piece.encode() for piece in pieces))
    assert not any(value.encode() in told for value in values)
    assert told == masked(values, "".join(pieces).encode())


def test_addresses_are_told_unless_they_say_who_one_is() -> None:
    env = {
        "PLAIN": "https://index.example/simple",
        "LOGGED_IN": "https://me:pass-word@index.example/simple",
        "TOKEN": "0123456789",
    }
    assert confidential(env) == ["https://me:pass-word@index.example/simple", "pass-word",
                                 "0123456789"]  # fmt: skip
