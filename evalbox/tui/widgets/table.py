"""A table over any number of rows, with a cursor that stays on its row while others come and go."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Generic

from textual import events
from textual.binding import Binding, BindingType
from textual.message import Message

from evalbox.tui.widgets.columns import GAP, R
from evalbox.tui.widgets.lines import HEADER, Lines
from evalbox.tui.widgets.scrolling import resize


class Table(Lines[R], Generic[R], can_focus=True):
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

    #: What the cursor is on.
    _cursor_id: str | None = None

    # --- rows ---

    @property
    def current(self) -> R | None:
        """The row under the cursor."""
        return self._rows[self._cursor] if self._cursor < len(self._rows) else None

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
        resize(self, len(rows) + HEADER)
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

    # --- the cursor ---

    def _go(self, index: int) -> None:
        index = max(0, min(index, len(self._rows) - 1))
        if index == self._cursor:
            return
        self._cursor = index
        self._reveal()
        self.look()
        self._note_cursor()

    def _reveal(self) -> None:
        """Scrolls to where the cursor is, also where there is no scrollbar yet."""
        height = max(1, self._high - HEADER)
        index, top = self._cursor, self.scroll_offset.y
        if index < top:
            self.scroll_to(y=index, animate=False, immediate=True, force=True)
        elif index >= top + height:
            self.scroll_to(y=index - height + 1, animate=False, immediate=True, force=True)

    def on_resize(self) -> None:
        # How much there is to scroll over is known only then.
        self.call_after_refresh(self._reveal)

    def _note_cursor(self) -> None:
        row = self.current
        identity = None if row is None else self._identify(row)
        if identity != self._cursor_id:
            self._cursor_id = identity
            self.post_message(self.Moved(self, row))  # type: ignore[arg-type]

    def action_move(self, by: int) -> None:
        self._go(self._cursor + by)

    def action_page(self, by: int) -> None:
        self._go(self._cursor + by * max(1, self._high - HEADER - 1))

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
        if event.y < HEADER:
            self._sort_at(event.x)
            return
        index = self.scroll_offset.y + event.y - HEADER
        if index < len(self._rows):
            if index == self._cursor and event.chain > 1:
                self.action_open()
            self._go(index)

    def _sort_at(self, x: int) -> None:
        for placed in self._placed:
            if placed.x <= x < placed.x + placed.width + GAP and placed.column.sort is not None:
                self.post_message(self.Sorted(self, placed.column.name))  # type: ignore[arg-type]

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        super().watch_scroll_y(old_value, new_value)
        if self.scroll_offset.y > self._cursor:
            self._go(self.scroll_offset.y)
        elif self._cursor - self.scroll_offset.y > self._high - HEADER - 1 > 0:
            self._go(self.scroll_offset.y + self._high - HEADER - 1)
