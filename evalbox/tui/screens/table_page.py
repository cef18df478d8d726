"""A page that is one table: what is told above and beneath it, marked and copied."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.containers import Container
from textual.widget import Widget

from evalbox.tui.context import Context
from evalbox.tui.screens.finding import Finding
from evalbox.tui.text import steady
from evalbox.tui.theme import Tone
from evalbox.tui.widgets.columns import R
from evalbox.tui.widgets.picture import Line, Picture, Span, ends
from evalbox.tui.widgets.table import Table

#: From so many lines on there is room beneath a table for more of a row, and beside it from so
#: many cells on.
_HIGH, _BROAD = 22, 180


class TablePage(Finding[R]):
    """``make_columns``, ``make_view`` and ``identify`` make the difference."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("space", "mark", "mark", id="list.mark", tooltip="Mark the row, for what is done"),
        Binding("a", "mark_all", "mark all", show=False, id="list.mark_all",
                tooltip="Mark all that are shown"),
        Binding("y", "copy", "copy", id="list.copy", tooltip="Copy what names the row"),
    ]  # fmt: skip
    #: One row, and several.
    NOUNS = ("row", "rows")
    #: Whether ``detail_of`` tells more of the row under the cursor.
    DETAILED = False

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.status = Picture(self._status, id="status")
        self.detail = Picture(self._detail, id="detail")
        self.detail.display = False
        self.shelf = Container(self.table, self.detail, id="shelf") if self.DETAILED else None

    def body(self) -> Iterable[Widget]:
        yield self.status
        yield self.shelf or self.table
        yield self.field

    # --- what is shown ---

    def show_rows(self) -> None:
        super().show_rows()
        self.status.look()
        self._look_at_detail()

    def _look_at_detail(self) -> None:
        if self.shelf is None:
            return
        size = self.app.size
        self.shelf.set_class(size.width >= _BROAD, "broad")
        there = self.table.current is not None
        self.detail.display = there and (size.height >= _HIGH or size.width >= _BROAD)
        if self.detail.display:
            self.detail.look()

    def _detail(self, width: int) -> Sequence[Line]:
        row = self.table.current
        lines = [] if row is None else self.detail_of(row, width)
        size = self.app.size
        if size.width >= _BROAD:
            return lines or [[]]
        rule: Line = [(self.context.glyphs.line * width, Tone.LINE)]
        return [rule, *lines][: size.height // 2]

    def detail_of(self, row: R, width: int) -> Sequence[Line]:
        """The row in more words, beneath the table or beside it, where there is room."""
        return []

    def _status(self, width: int) -> Sequence[Line]:
        rows, query = len(self.view.rows), self.view.query
        left: list[Span] = [(f" {rows:,}", Tone.STRONG)]
        if query.terms:
            left += [(f" of {len(self.view.every):,}", Tone.MUTED)]
            left += [("  filter ", Tone.MUTED), (steady(query.source), Tone.ACCENT)]
        else:
            left += [(f" {self.noun(rows)}", Tone.MUTED)]
        if query.problem:
            left += [(f"  {steady(query.problem)}", Tone.WARN)]
        if marked := len(self.table.marked):
            left += [("  ", Tone.MUTED), (f"{marked:,} marked", Tone.WARN)]
        return [ends(left, self.aside(), width)]

    def noun(self, rows: int) -> str:
        return self.NOUNS[rows != 1]

    def aside(self) -> Line:
        """What stands at the right of the status."""
        return []

    # --- doing ---

    def action_mark(self) -> None:
        self.table.toggle_mark()
        self.show_rows()

    def action_mark_all(self) -> None:
        self.table.marked |= {self.identify(row) for row in self.view.rows}
        self.show_rows()

    def picked(self) -> list[R]:
        """Those marked, be they shown or not, or the one under the cursor."""
        marked = self.table.marked
        if marked:
            return [row for row in self.view.every if self.identify(row) in marked]
        return [self.table.current] if self.table.current is not None else []

    def copied(self, row: R) -> str:
        """What is copied of a row."""
        return self.identify(row)

    def action_copy(self) -> None:
        if rows := self.picked():
            self.copy("\n".join(self.copied(row) for row in rows))

    def on_table_moved(self, event: Table.Moved) -> None:
        event.stop()
        self._look_at_detail()
        self.moved(self.table.current)

    def moved(self, row: R | None) -> None:
        """The cursor is on another row."""

    def on_table_opened(self, event: Table.Opened) -> None:
        event.stop()
        if self.table.current is not None:
            self.open(self.table.current)

    def open(self, row: R) -> None:
        """Looks into it."""
