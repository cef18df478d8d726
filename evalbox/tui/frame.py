"""What the terminal shows, so that only what is another now is sent.

Textual sends a widget's lines from its left edge on for every part of them that was refreshed, and
all of them where rows have moved. Over a slow line that is felt. Here each update is laid over what
was sent before, and the cells that differ are told with as few bytes as they can be.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache

from rich.cells import get_character_cell_size as width_of
from rich.color import ColorSystem
from rich.console import Console
from rich.segment import Segment
from rich.style import Style
from textual._compositor import ChopsUpdate, CompositorUpdate, LayoutUpdate
from textual.strip import Strip

#: A character with what combines with it, and the codes of its style. The right half of a wide
#: character is empty.
Cell = tuple[str, str]
Row = list[Cell]

_UNKNOWN: Cell = ("\0", "")
#: So many cells that are as they were cost no more to send again than to leap over.
_LEAP = 4


class Frame:
    """What one terminal shows."""

    def __init__(self) -> None:
        self._rows: list[Row] = []
        self._size = (0, 0)
        self._system = ColorSystem.TRUECOLOR

    def difference(self, update: CompositorUpdate, size: tuple[int, int]) -> CompositorUpdate:
        """An update that sends of ``update`` what is not shown yet, and counts it as shown."""
        return _Difference(self, update, size)

    def forget(self) -> None:
        """What the terminal shows is not known any more: all is sent again."""
        self._size = (0, 0)

    def lay(
        self, update: CompositorUpdate, size: tuple[int, int], system: ColorSystem | None
    ) -> str:
        """What brings a terminal of ``size`` columns and rows, with these colours, up to it."""
        self._system = system or ColorSystem.TRUECOLOR
        if size != self._size:
            self._size = size
            self._rows = [[_UNKNOWN] * size[0] for _ in range(size[1])]
        pen = _Pen()
        for y, changed in self._changes(update):
            if y < size[1]:
                self._send(pen, y, changed)
        return pen.text()

    def _changes(self, update: CompositorUpdate) -> Iterator[tuple[int, Sequence[tuple[int, Row]]]]:
        """The lines that may be others now, and the stretches of them that are told."""
        if isinstance(update, LayoutUpdate):
            for y, strips in enumerate(update.strips, update.region.y):
                segments = [segment for strip in strips for segment in strip]
                yield y, [(update.region.x, self._cells(segments))]
        elif isinstance(update, ChopsUpdate):
            for y, begin, end in update.spans:
                yield y, list(self._stretches(update, y, begin, end))

    def _stretches(
        self, update: ChopsUpdate, y: int, begin: int, end: int
    ) -> Iterator[tuple[int, Row]]:
        for stop, (x, strip) in zip(update.chop_ends[y], update.chops[y].items(), strict=False):
            if strip is None or x >= end or stop <= begin:
                continue
            cells = self._cells(strip)
            first, last = _whole(cells, cells, max(begin - x, 0), min(end, stop) - x - 1)
            yield x + first, cells[first:last]

    def _cells(self, segments: Iterable[Segment]) -> Row:
        cells: Row = []
        for text, style, control in segments:
            if control:
                continue
            codes = _codes(style, self._system) if style is not None else ""
            if text.isascii():
                cells += [(character, codes) for character in text]
            else:
                _spread(cells, text, codes)
        return cells

    def _send(self, pen: _Pen, y: int, stretches: Sequence[tuple[int, Row]]) -> None:
        row = self._rows[y]
        for x, cells in stretches:
            told = cells[: len(row) - x]
            old = row[x : x + len(told)]
            if told != old:
                for first, last in _runs(old, told):
                    pen.draw(x + first, y, told[first:last])
                row[x : x + len(told)] = told


class _Difference(CompositorUpdate):
    def __init__(self, frame: Frame, update: CompositorUpdate, size: tuple[int, int]) -> None:
        self._frame = frame
        self._update = update
        self._size = size

    def render_segments(self, console: Console) -> str:
        return self._frame.lay(self._update, self._size, console._color_system)


class _Pen:
    """Draws cells where they belong, and knows where it stands and in which style."""

    def __init__(self) -> None:
        self._parts: list[str] = []
        self._at = (-1, -1)
        self._codes = ""

    def draw(self, x: int, y: int, cells: Sequence[Cell]) -> None:
        add = self._parts.append
        if (x, y) != self._at:
            add(f"\x1b[{y + 1};{x + 1}H")
        for column, (text, codes) in enumerate(cells, start=x + 1):
            if codes != self._codes:
                add(f"\x1b[0;{codes}m" if codes else "\x1b[0m")
                self._codes = codes
            # Not every terminal has the same characters for wide ones.
            add(text or f"\x1b[{column + 1}G")
        # Behind the last column terminals disagree on where they stand.
        self._at = (x + len(cells), y)

    def text(self) -> str:
        if self._codes:
            self._parts.append("\x1b[0m")
        return "".join(self._parts)


def _runs(old: Sequence[Cell], new: Sequence[Cell]) -> Iterator[tuple[int, int]]:
    """Where they differ, from and to; never between the halves of a wide character."""
    first = last = -1
    for index, cell in enumerate(new):
        if cell == old[index]:
            continue
        if first < 0:
            first = index
        elif index - last > _LEAP:
            yield _whole(old, new, first, last)
            first = index
        last = index
    if first >= 0:
        yield _whole(old, new, first, last)


def _whole(old: Sequence[Cell], new: Sequence[Cell], first: int, last: int) -> tuple[int, int]:
    while first > 0 and "" in (new[first][0], old[first][0]):
        first -= 1
    last += 1
    while last < len(new) and "" in (new[last][0], old[last][0]):
        last += 1
    return first, last


def _spread(cells: Row, text: str, codes: str) -> None:
    for character in text:
        width = width_of(character)
        if width:
            cells.append((character, codes))
            cells += [("", codes)] * (width - 1)
        elif cells:
            # It combines with a character, and not with the right half of one.
            place = -2 if cells[-1][0] == "" else -1
            before, style = cells[place]
            cells[place] = (before + character, style)


@lru_cache(maxsize=1024)
def _codes(style: Style, system: ColorSystem) -> str:
    return Strip.render_ansi(style, system)
