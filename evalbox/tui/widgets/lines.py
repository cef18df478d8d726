"""Rows as lines in columns, of which only what is seen is drawn.

Textual's own table keeps every cell and draws itself anew for one that changed. This draws lines as
they are asked for, and ``look`` asks for those that are others than what is shown.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Generic

from rich.segment import Segment
from textual.geometry import Region
from textual.scroll_view import ScrollView
from textual.strip import Strip

from evalbox.tui.glyphs import BLOCK, Glyphs
from evalbox.tui.text import fit
from evalbox.tui.theme import PALETTES, Surface, Tone
from evalbox.tui.widgets.columns import GAP, Cell, Column, Parts, Placed, R, place
from evalbox.tui.widgets.scrolling import resize
from evalbox.tui.widgets.strips import joined

#: The cursor's bar, the mark, and a space.
MARGIN = 3
#: Lines above the rows.
HEADER = 1

Cells = tuple[Cell | Parts, ...]


class Lines(ScrollView, Generic[R]):
    """``identify`` gives what makes a row the same row when it moves or changes.

    ``led``: its cursor is moved by keys that another widget gets. ``marked`` are the rows, by what
    they are identified with, that bear a mark; ``sorted_by`` is the name of a column, and whether
    the greatest comes first.
    """

    ALLOW_SELECT = False

    def __init__(
        self,
        columns: Sequence[Column[R]],
        *,
        identify: Callable[[R], str],
        empty: str = "",
        glyphs: Glyphs = BLOCK,
        led: bool = False,
        id: str | None = None,  # noqa: A002 - as every widget calls it
    ) -> None:
        super().__init__(id=id)
        self._columns = columns
        self._identify = identify
        self.empty = empty
        self._glyphs = glyphs
        self._led = led
        self._rows: Sequence[R] = ()
        self._placed: tuple[Placed, ...] = ()
        self._cursor = 0
        #: Which row each line shows, and how.
        self._lines: dict[int, tuple[int, Cells]] = {}
        self.marked: set[str] = set()
        self.sorted_by: tuple[str, bool] = ("", False)

    @property
    def _wide(self) -> int:
        """Cells of a line, the scrollbar's left out."""
        return self.scrollable_content_region.width

    @property
    def _high(self) -> int:
        return self.scrollable_content_region.height

    @property
    def rows(self) -> Sequence[R]:
        return self._rows

    @property
    def seen(self) -> Sequence[R]:
        """The rows that are on the screen."""
        top = self.scroll_offset.y
        return self._rows[top : top + max(0, self._high - HEADER)]

    def look(self) -> None:
        """Draws the lines that are not as they are shown; all where columns came or went."""
        if not self._wide:
            return
        if place(self._columns, self._wide, margin=MARGIN) != self._placed:
            self.place_columns()
            return
        changed = []
        for y in range(HEADER, self._high):
            index = self._index(y)
            cells = self._cells(index)
            _, shown = self._lines.get(y, (index, None))
            if shown != cells:
                changed.append(y)
            self._lines[y] = (index, cells)
        if changed:
            self.refresh(*(Region(0, y, self._wide, high) for y, high in _stretches(changed)))

    def place_columns(self) -> None:
        """Places the columns anew, and draws all."""
        self._placed = place(self._columns, self._wide, margin=MARGIN)
        self._lines.clear()
        self.refresh()

    def _index(self, y: int) -> int:
        """Of the row that line ``y`` shows."""
        return self.scroll_offset.y + y - HEADER

    def watch_has_focus(self, _focus: bool) -> None:
        self.look()

    def on_resize(self) -> None:
        resize(self, len(self._rows) + HEADER)
        self.place_columns()

    def _cells(self, index: int) -> Cells:
        """What line ``index`` shows: a cell for each column, and one for the margin."""
        if index >= len(self._rows):
            return ()
        row = self._rows[index]
        cells = [placed.column.cell(row) for placed in self._placed]
        return (*cells, self._margin(row, index))

    def _margin(self, row: R, index: int) -> Cell:
        here = self._glyphs.cursor if index == self._cursor and self._in_use else " "
        mark = self._glyphs.mark if self._identify(row) in self.marked else " "
        # The tone tells the cursor's line from others, so that a move sends both.
        return Cell(f"{here}{mark} ", Tone.ACCENT if index == self._cursor else Tone.WARN)

    def render_line(self, y: int) -> Strip:
        palette = PALETTES[self.app.theme]
        if y < HEADER:
            return self._header()
        index = self._index(y)
        row, cells = self._lines.get(y, (-1, ()))
        if row != index:
            cells = self._cells(index)
            self._lines[y] = (index, cells)
        if not cells:
            return self._blank(y)
        surface = self._surface(index)
        # The margin is the last of the cells, and the first that is drawn.
        shown = self._pieces_of(cells)
        return joined(((text, palette.style(tone, surface)) for text, tone in shown), self._wide)

    def _pieces_of(self, cells: Cells) -> list[Cell]:
        *others, margin = cells
        shown = [Cell(*margin)]
        for placed, cell in zip(self._placed, others, strict=False):
            shown += self._pieces(placed, cell)
        return shown

    def _pieces(self, placed: Placed, cell: Cell | Parts) -> list[Cell]:
        if isinstance(cell, Cell):
            return [Cell(self._fitted(placed, cell.text), cell.tone)]
        left, pieces = placed.width, []
        for text, tone in cell.spans:
            pieces.append(Cell(text[:left], tone))
            left -= len(pieces[-1].text)
        return [*pieces, Cell(" " * (left + GAP))]

    def _fitted(self, placed: Placed, text: str) -> str:
        column, _, width = placed
        return fit(text, width, right=column.right, ellipsis=self._glyphs.ellipsis) + " " * GAP

    @property
    def _in_use(self) -> bool:
        return self.has_focus or self._led

    def _surface(self, index: int) -> Surface:
        if index != self._cursor:
            return Surface.BASE
        return Surface.CURSOR if self._in_use else Surface.CURSOR_AWAY

    def _header(self) -> Strip:
        palette = PALETTES[self.app.theme]
        sorted_by, falling = self.sorted_by
        spans = [(" " * MARGIN, palette.style(Tone.MUTED, Surface.BAR))]
        for placed in self._placed:
            title, tone = placed.column.title, Tone.MUTED
            if placed.column.name == sorted_by:
                arrow = self._glyphs.descending if falling else self._glyphs.ascending
                title, tone = f"{title}{arrow}", Tone.ACCENT
            spans.append((self._fitted(placed, title), palette.style(tone, Surface.BAR)))
        return joined(spans, self._wide)

    def _blank(self, y: int) -> Strip:
        style = PALETTES[self.app.theme].style(Tone.MUTED)
        told = self.empty if not self._rows and y == HEADER + 1 else ""
        margin = " " * MARGIN if told else ""
        text = fit(margin + told, self._wide, ellipsis=self._glyphs.ellipsis)
        return Strip([Segment(text, style)], self._wide)


def _stretches(lines: Iterable[int]) -> list[tuple[int, int]]:
    """Ascending numbers as the first and the length of each unbroken stretch of them."""
    found: list[tuple[int, int]] = []
    for line in lines:
        if found and sum(found[-1]) == line:
            found[-1] = (found[-1][0], found[-1][1] + 1)
        else:
            found.append((line, 1))
    return found
