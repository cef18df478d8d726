"""What the words of a program are, line by line, as they are looked at and typed.

Pygments reads a text from its beginning. Here the state in which it begins each line is kept, so
that a key costs the lines from the changed one to the last that is seen, wherever they are.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator, Sequence
from itertools import accumulate
from typing import Any

from pygments.lexer import Lexer, RegexLexer
from pygments.lexers import get_lexer_by_name
from pygments.token import (
    Comment,
    Error,
    Keyword,
    Literal,
    Name,
    Number,
    Operator,
    String,
    Token,
    _TokenType,
)
from pygments.util import ClassNotFound

from evalbox.tui.theme import Tone

#: From where to where in a line, and what it is.
Span = tuple[int, int, Tone]
State = tuple[str, ...]

_TONES: dict[_TokenType, Tone] = {
    Comment: Tone.MUTED,
    Keyword: Tone.BUSY,
    Operator.Word: Tone.BUSY,
    Literal: Tone.GOOD,
    String: Tone.GOOD,
    String.Interpol: Tone.WARN,
    String.Escape: Tone.WARN,
    Number: Tone.WARN,
    Name.Function: Tone.ACCENT,
    Name.Class: Tone.ACCENT,
    Name.Decorator: Tone.SPECIAL,
    Name.Builtin: Tone.SPECIAL,
    Name.Exception: Tone.SPECIAL,
    Name.Variable: Tone.SPECIAL,
    Error: Tone.TEXT,
}
#: Lines behind a place from where reading begins anew, rather than where it was broken off.
_FAR, _BACK = 400, 100
#: Lines read beyond those asked for: a comment may end there, and begin in these.
_BEYOND = 60
#: Characters of a line beyond which it is not read, since such a line was made by a program.
_LONG = 2_000
_ROOT: State = ("root",)


def lexer_of(language: str) -> RegexLexer | None:
    """What reads a language that is called so; None where nothing does."""
    try:
        found: Lexer = get_lexer_by_name(language)
    except ClassNotFound:
        return None
    return found if isinstance(found, RegexLexer) else None


class Highlighter:
    """``line`` gives a line of the text by its number, from 0, of ``count`` lines."""

    def __init__(
        self, line: Callable[[int], str], count: Callable[[], int], language: str = ""
    ) -> None:
        self._line = line
        self._count = count
        self._lexer = lexer_of(language)
        self._spans: dict[int, list[Span]] = {}
        self._states: dict[int, State] = {0: _ROOT}
        self._known: list[int] = [0]

    def changed(self, first: int) -> None:
        """The lines from ``first`` on are others than before."""
        keep = bisect_right(self._known, first)
        for number in self._known[keep:]:
            del self._states[number]
        del self._known[keep:]
        self._spans = {number: spans for number, spans in self._spans.items() if number < first}

    def spans(self, number: int, ahead: int) -> Sequence[Span]:
        """What is in a line; the ``ahead`` lines behind it are read along."""
        if self._lexer is None:
            return ()
        if number not in self._spans:
            self._read(number, min(number + ahead + 1, self._count()))
        return self._spans.get(number, ())

    def _read(self, number: int, end: int) -> None:
        start = self._known[bisect_right(self._known, number) - 1]
        if number - start > _FAR:
            start = number - _BACK
            self._remember(start, _ROOT)
        beyond = min(end + _BEYOND, self._count())
        lines = [self._line(each)[:_LONG] for each in range(start, beyond)]
        starts = [0, *accumulate(len(line) + 1 for line in lines)]
        found: list[list[Span]] = [[] for _ in lines]
        text = "\n".join(lines) + "\n"
        for at, kind, value, state in _tokens(self._lexer, text, self._states[start]):
            place = bisect_right(starts, at) - 1
            if place >= end - start:
                break
            if state is not None and starts[place] == at:
                self._remember(start + place, state)
            if (tone := _tone(kind)) is not None:
                _lay(found, starts, place, at, at + len(value), tone)
        self._spans.update(enumerate(found[: end - start], start=start))

    def _remember(self, number: int, state: State) -> None:
        if number not in self._states:
            self._known.insert(bisect_left(self._known, number), number)
        self._states[number] = state


def _lay(
    found: list[list[Span]], starts: Sequence[int], place: int, at: int, end: int, tone: Tone
) -> None:
    """A token into the lines that it goes over."""
    while at < end and place < len(found):
        until = min(end, starts[place + 1] - 1)
        if until > at:
            found[place].append((at - starts[place], until - starts[place], tone))
        place += 1
        at = starts[place]


def _tone(kind: _TokenType | None) -> Tone | None:
    while kind is not None and kind is not Token:
        if kind in _TONES:
            return _TONES[kind]
        kind = kind.parent
    return None


def _tokens(
    lexer: Any, text: str, state: State
) -> Iterator[tuple[int, _TokenType | None, str, State | None]]:
    """As ``RegexLexer.get_tokens_unprocessed``, with the state before each match.

    The state is None within a match of several tokens.
    """
    rules = lexer._tokens
    stack = list(state)
    at = 0
    while at < len(text):
        for matches, action, new in rules[stack[-1]]:
            match = matches(text, at)
            if match is None:
                continue
            before: State | None = tuple(stack)
            if action is not None:
                if type(action) is _TokenType:
                    yield at, action, match.group(), before
                else:
                    for place, kind, value in action(lexer, match):
                        yield place, kind, value, before
                        before = None
            at = match.end()
            if new is not None:
                _move(stack, new)
            break
        else:
            before = tuple(stack)
            if text[at] == "\n":
                # Pygments takes a line feed that nothing takes for the end of all that is open.
                stack = ["root"]
            yield at, Error, text[at], before
            at += 1


def _move(stack: list[str], new: tuple[str, ...] | int | str) -> None:
    if isinstance(new, tuple):
        for name in new:
            _step(stack, name)
    elif isinstance(new, int):
        # The last state is never left.
        del stack[max(len(stack) + new, 1) :]
    else:
        _step(stack, new)


def _step(stack: list[str], name: str) -> None:
    if name == "#pop":
        if len(stack) > 1:
            stack.pop()
    elif name == "#push":
        stack.append(stack[-1])
    else:
        stack.append(name)
