"""A table over any number of rows that costs only what is seen of it.

Textual's own keeps every cell and sends itself whole for one that changed. This one draws lines as
they are asked for, and ``look`` sends only the cells whose text is another than what is shown.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar, Generic

from rich.segment import Segment
from textual import events
from textual.binding import Binding, BindingType
from textual.geometry import Region
from textual.message import Message
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
_HEADER = 1

Cells = tuple[Cell | Parts, ...]


class Table(ScrollView, Generic[R], can_focus=True):
    """``identify`` gives what makes a row the same row when it moves or changes.

    ``led``: its cursor is moved by keys that another widget gets.
    """

    ALLOW_SELECT = False
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("j,down", "move(1)", "down", show=False, id="table.down"),
        Binding("k,up", "move(-1)", "up", show=False, id="table.up"),
        Binding("g,home", "top", "first", show=False, id="table.first"),
        Binding("G,end", "bottom", "last", show=False, id="table.last"),
        Binding("pagedown,ctrl+f", "page(1)", "page down", show=False, id="table.page_down"),
        Binding("pageup,ctrl+b", "page(-1)", "page up", show=False, id="table.page_up"),
        Binding("enter", "open", "open", id="table.open", tooltip="Look into the row"),
    ]

    @dataclass
    class Opened(Message):
        table: Table[object]
        row: object

    @dataclass
    class Moved(Message):
        """The cursor is on another row, or on none."""

        table: Table[object]
        row: object | None

    @dataclass
    class Sorted(Message):
        """The header of a column was clicked on."""

        table: Table[object]
        column: str

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
        self._cursor_id: str | None = None
        self._shown: dict[int, Cells] = {}
        self.marked: set[str] = set()
        self.sorted_by: tuple[str, bool] = ("", False)

    @property
    def _wide(self) -> int:
        """Cells of a line, the scrollbar's left out."""
        return self.scrollable_content_region.width

    @property
    def _high(self) -> int:
        return self.scrollable_content_region.height

    # --- rows ---

    @property
    def rows(self) -> Sequence[R]:
        return self._rows

    @property
    def current(self) -> R | None:
        """The row under the cursor."""
        return self._rows[self._cursor] if self._cursor < len(self._rows) else None

    @property
    def seen(self) -> Sequence[R]:
        """The rows that are on the screen."""
        top = self.scroll_offset.y
        return self._rows[top : top + max(0, self._high - _HEADER)]

    @property
    def cursor(self) -> int:
        return self._cursor

    def show(self, rows: Sequence[R]) -> None:
        """Shows ``rows``, which are not to change while they are shown.

        The cursor stays on its row, at its height, unless it is on the first: there it stays on
        what is first.
        """
        followed = self._cursor == 0 and self.scroll_offset.y == 0
        before = self._cursor
        if bool(rows) != bool(self._rows):
            self.refresh()
        self._rows = rows
        found = 0 if followed else self._find(before)
        self._cursor = max(0, min(found, len(rows) - 1))
        resize(self, len(rows) + _HEADER)
        if not followed and self._cursor != before:
            self.scroll_to(
                y=max(0, self.scroll_offset.y + self._cursor - before),
                animate=False,
                immediate=True,
            )
        self.look()
        self._note_cursor()

    def _find(self, near: int) -> int:
        """Where the cursor's row is; where it is gone, the place stays."""
        rows, wanted = self._rows, self._cursor_id
        if wanted is None:
            return near
        # Outwards, since rows seldom move far.
        for step in range(max(near + 1, len(rows) - near)):
            for index in (near + step, near - step):
                if 0 <= index < len(rows) and self._identify(rows[index]) == wanted:
                    return index
        return near

    def look(self) -> None:
        """Sends what is not as it is shown: cells, lines, or all where columns came or went."""
        if not self._wide:
            return
        if place(self._columns, self._wide, margin=MARGIN) != self._placed:
            self.place_columns()
            return
        top = self.scroll_offset.y
        for y in range(_HEADER, self._high):
            index = top + y - _HEADER
            cells = self._cells(index)
            if (was := self._shown.get(y, ())) != cells:
                self._send(y, was, cells)

    def _send(self, y: int, old: Cells, new: Cells) -> None:
        # The margin tells where the cursor is, and that colours the whole line.
        if not old or len(old) != len(new) or old[-1] != new[-1]:
            self.refresh(Region(0, y, self._wide, 1))
            return
        for placed, before, now in zip(self._placed, old, new, strict=False):
            if before != now:
                self.refresh(Region(placed.x, y, placed.width, 1))

    def place_columns(self) -> None:
        """Places the columns anew, and draws all."""
        self._placed = place(self._columns, self._wide, margin=MARGIN)
        self._shown.clear()
        self.refresh()

    # --- the cursor ---

    def _go(self, index: int) -> None:
        index = max(0, min(index, len(self._rows) - 1))
        if index == self._cursor:
            return
        self._cursor = index
        height = max(1, self._high - _HEADER)
        top = self.scroll_offset.y
        if index < top:
            self.scroll_to(y=index, animate=False, immediate=True)
        elif index >= top + height:
            self.scroll_to(y=index - height + 1, animate=False, immediate=True)
        self.look()
        self._note_cursor()

    def _note_cursor(self) -> None:
        row = self.current
        identity = None if row is None else self._identify(row)
        if identity != self._cursor_id:
            self._cursor_id = identity
            self.post_message(self.Moved(self, row))  # type: ignore[arg-type]

    def action_move(self, by: int) -> None:
        self._go(self._cursor + by)

    def action_page(self, by: int) -> None:
        self._go(self._cursor + by * max(1, self._high - _HEADER - 1))

    def action_top(self) -> None:
        self._go(0)

    def action_bottom(self) -> None:
        self._go(len(self._rows) - 1)

    def action_open(self) -> None:
        row = self.current
        if row is not None:
            self.post_message(self.Opened(self, row))  # type: ignore[arg-type]

    def go_to(self, identity: str) -> None:
        """Puts the cursor on a row, if it is there."""
        for index, row in enumerate(self._rows):
            if self._identify(row) == identity:
                self._go(index)
                return

    def toggle_mark(self) -> None:
        """Marks the row under the cursor, or no longer, and goes on to the next."""
        row = self.current
        if row is not None:
            self.marked ^= {self._identify(row)}
            if self._cursor + 1 < len(self._rows):
                self._go(self._cursor + 1)
            else:
                self.look()

    def clear_marks(self) -> None:
        self.marked.clear()
        self.look()

    def on_click(self, event: events.Click) -> None:
        if event.y < _HEADER:
            self._sort_at(event.x)
            return
        index = self.scroll_offset.y + event.y - _HEADER
        if index < len(self._rows):
            if index == self._cursor and event.chain > 1:
                self.action_open()
            self._go(index)

    def _sort_at(self, x: int) -> None:
        for placed in self._placed:
            if placed.x <= x < placed.x + placed.width + GAP and placed.column.sort is not None:
                self.post_message(self.Sorted(self, placed.column.name))  # type: ignore[arg-type]

    def watch_has_focus(self, _focus: bool) -> None:
        self.look()

    def on_resize(self) -> None:
        resize(self, len(self._rows) + _HEADER)
        self.place_columns()

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        super().watch_scroll_y(old_value, new_value)
        if self.scroll_offset.y > self._cursor:
            self._go(self.scroll_offset.y)
        elif self._cursor - self.scroll_offset.y > self._high - _HEADER - 1 > 0:
            self._go(self.scroll_offset.y + self._high - _HEADER - 1)

    # --- drawing ---

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
        if y < _HEADER:
            return self._header()
        index = self.scroll_offset.y + y - _HEADER
        cells = self._cells(index)
        self._shown[y] = cells
        if not cells:
            return self._blank(y)
        surface = self._surface(index)
        shown = [self._margin(self._rows[index], index)]
        for placed, cell in zip(self._placed, cells, strict=False):
            shown += self._pieces(placed, cell)
        return joined(((text, palette.style(tone, surface)) for text, tone in shown), self._wide)

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
        told = self.empty if not self._rows and y == _HEADER + 1 else ""
        margin = " " * MARGIN if told else ""
        return Strip([Segment(fit(margin + told, self._wide), style)], self._wide)
