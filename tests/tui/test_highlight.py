"""The words of a program, read line by line."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import evalbox
from evalbox.tui.form.highlight import Highlighter, Span, _lay, _tone, lexer_of
from evalbox.tui.theme import Tone

AHEAD = 30
PYTHON = Path(evalbox.__file__).parent / "scheduler" / "attempt.py"
SHELL = '#!/bin/sh\nfor a in 1 2; do\n  echo "$a `id`" # why\ndone\ncat <<EOF\n$x\nEOF\nexit 0\n'
SCRIPT = "/* one\n two */ const a = `x ${b}\n y`; // z\nfunction f(x) { return /re/.test(x) }\n"


def reading(lines: list[str], language: str) -> Highlighter:
    return Highlighter(lines.__getitem__, lambda: len(lines), language)


def whole(lines: list[str], language: str) -> list[list[Span]]:
    """As Pygments itself reads it, from the beginning to the end."""
    lexer = lexer_of(language)
    assert lexer is not None
    found: list[list[Span]] = [[] for _ in lines]
    starts = [0]
    for line in lines:
        starts.append(starts[-1] + len(line) + 1)
    for at, kind, value in lexer.get_tokens_unprocessed("\n".join(lines) + "\n"):
        place = max(place for place, start in enumerate(starts) if start <= at)
        if (tone := _tone(kind)) is not None:
            _lay(found, starts, place, at, at + len(value), tone)
    return found


@pytest.mark.parametrize(
    ("text", "language"),
    [(PYTHON.read_text()[:6000], "python"), (SHELL, "bash"), (SCRIPT, "javascript")],
    ids=["python", "bash", "javascript"],
)
def test_it_is_what_pygments_makes_of_the_whole(text: str, language: str) -> None:
    lines = text.splitlines()
    highlighter = reading(lines, language)
    for _ in range(2):
        found = [list(highlighter.spans(number, AHEAD)) for number in range(len(lines))]
        assert found == whole(lines, language)
        highlighter.changed(len(lines) // 2)


def test_words_get_their_tones() -> None:
    lines = ["def f():  # why", '    return "x"']
    highlighter = reading(lines, "python")
    assert list(highlighter.spans(0, AHEAD)) == [
        (0, 3, Tone.BUSY), (4, 5, Tone.ACCENT), (10, 15, Tone.MUTED),
    ]  # fmt: skip
    assert (4, 10, Tone.BUSY) in highlighter.spans(1, AHEAD)


def test_a_change_reaches_the_lines_behind_it() -> None:
    lines = ["a = 1", "b = 2", "c = 3"]
    highlighter = reading(lines, "python")
    assert (4, 5, Tone.WARN) in highlighter.spans(2, AHEAD)
    lines[1] = '"""'
    highlighter.changed(1)
    assert list(highlighter.spans(2, AHEAD)) == [(0, 5, Tone.GOOD)]
    lines[1] = "b = 2"
    highlighter.changed(1)
    assert (4, 5, Tone.WARN) in highlighter.spans(2, AHEAD)


def test_far_into_a_long_text_little_is_read() -> None:
    asked: list[int] = []

    def line(number: int) -> str:
        asked.append(number)
        return f"x = {number}"

    highlighter = Highlighter(line, lambda: 1_000_000, "python")
    assert highlighter.spans(999_000, AHEAD)
    assert len(asked) < 400


def test_nothing_is_known_of_an_unknown_language() -> None:
    assert reading(["x"], "no such").spans(0, AHEAD) == ()
    assert reading(["x"], "").spans(0, AHEAD) == ()


@given(st.lists(st.text(max_size=30).map(lambda text: text.replace("\n", "")), min_size=1))
def test_spans_lie_within_their_lines(lines: list[str]) -> None:
    for language in ("python", "bash", "javascript"):
        highlighter = reading(lines, language)
        for number, line in enumerate(lines):
            for start, end, _ in highlighter.spans(number, 3):
                assert 0 <= start < end <= len(line)
