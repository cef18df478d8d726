"""The beginning of a source file, to be looked at."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from evalbox.domain.limits import KIB
from evalbox.tasks.base import head
from evalbox.tui.form.highlight import Highlighter
from evalbox.tui.text import steady
from evalbox.tui.theme import Tone
from evalbox.tui.widgets.picture import Line, Span

#: Bytes that are read, lines of them that are shown, and characters of a line.
MAX_BYTES, MAX_LINES, MAX_WIDTH = 64 * KIB, 500, 400
_TAB = 4


@dataclass(frozen=True, slots=True)
class Preview:
    lines: tuple[Line, ...] = ()


def preview(path: Path, language: str) -> Preview:
    """Reads a file, or what a directory says of itself. Follows no link.

    Blocks, and takes some milliseconds of processor: to be called beside an event loop.
    """
    source = head(path / "README.md" if path.is_dir() else path, MAX_BYTES + 1)
    texts = source[:MAX_BYTES].decode("utf-8", "replace").split("\n")
    shown = [steady(text[:MAX_WIDTH].expandtabs(_TAB)) for text in texts[:MAX_LINES]]
    while shown and not shown[-1].strip():
        shown.pop()
    highlighter = Highlighter(lambda number: shown[number], lambda: len(shown), language)
    lines = [_line(text, highlighter, number) for number, text in enumerate(shown)]
    if len(source) > MAX_BYTES or len(texts) > MAX_LINES:
        lines.append([("and more", Tone.MUTED)])
    return Preview(tuple(lines))


def _line(text: str, highlighter: Highlighter, number: int) -> Line:
    line: list[Span] = []
    at = 0
    for start, end, tone in highlighter.spans(number, MAX_LINES):
        if start > at:
            line.append((text[at:start], Tone.TEXT))
        line.append((text[max(at, start) : end], tone))
        at = max(at, end)
    return [*line, (text[at:], Tone.TEXT)]
