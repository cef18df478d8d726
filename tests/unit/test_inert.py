"""What a job printed cannot do anything to a terminal."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalbox.domain.inert import Neutraliser, inert, inert_line

HOSTILE = {
    "clear screen": b"\x1b[2J\x1b[H",
    "window title": b"\x1b]0;owned\x07",
    "hyperlink": b"\x1b]8;;http://evil\x1b\\click\x1b]8;;\x1b\\",
    "clipboard": b"\x1b]52;c;ZXZpbA==\x07",
    "answerback": b"\x1b[6n\x1b[c\x05",
    "device control": b'\x1bP$q"p\x1b\\',
    "eight-bit CSI": b"\xc2\x9b2J",
    "raw eight-bit CSI": b"\x9b2J",
    "hide the cursor": b"\x1b[?25l",
    "backspaces": b"secret\x08\x08\x08\x08\x08\x08public",
    "shift out": b"\x0e\x0f",
    "bell": b"\x07" * 10,
    "form feed, vertical tab": b"\x0c\x0b",
    "delete": b"\x7f",
    "bidirectional override": "\u202egnp.exe".encode(),
    "isolate": "\u2066x\u2069".encode(),
}


def neutral(*pieces: bytes) -> str:
    stream = Neutraliser()
    return "".join(stream.feed(piece) for piece in pieces) + stream.feed(b"", final=True)


def is_inert(text: str) -> bool:
    return all(
        character in "\n\t"
        or (unicodedata.category(character) != "Cc" and character not in "\u202e\u2066\u2069")
        for character in text
    )


@pytest.mark.parametrize("data", HOSTILE.values(), ids=HOSTILE.keys())
def test_hostile_sequences_become_text(data: bytes) -> None:
    assert is_inert(neutral(data))


@pytest.mark.parametrize("data", HOSTILE.values(), ids=HOSTILE.keys())
def test_also_when_they_come_byte_by_byte(data: bytes) -> None:
    assert neutral(*(bytes([byte]) for byte in data)) == neutral(data)


def test_what_was_there_can_be_seen() -> None:
    assert neutral(b"\x1b[31mred\x1b[0m") == "^[[31mred^[[0m"
    assert neutral(b"\x7f\x00") == "^?^@"


def test_plain_text_stays_as_it_is() -> None:
    text = "Grüße,\t世界 🎉 [red]not markup[/red]\n"
    assert neutral(text.encode()) == text


def test_a_carriage_return_becomes_a_line() -> None:
    assert neutral(b"10%\r20%\r\ndone\r\n") == "10%\n20%\ndone\n"
    assert neutral(b"a\r", b"\nb") == "a\nb"
    assert neutral(b"a\r", b"b") == "a\nb"


def test_characters_cut_in_two_are_put_together() -> None:
    assert neutral("é".encode()[:1], "é".encode()[1:]) == "é"


def test_bytes_that_are_no_text_are_replaced() -> None:
    assert neutral(b"\xff\xfea") == "\ufffd\ufffda"


def test_a_line_stays_one_line() -> None:
    assert inert_line("a\nb\tc\r") == "a^Jb c^M"


@given(st.binary(max_size=300), st.integers(0, 300))
def test_any_bytes_are_inert_however_they_are_cut(data: bytes, cut: int) -> None:
    text = neutral(data[:cut], data[cut:])
    assert is_inert(text)
    assert text == neutral(data)


@given(st.text(max_size=200))
def test_inert_text_is_left_alone(text: str) -> None:
    assert inert(inert(text)) == inert(text)
    assert is_inert(inert_line(text))
