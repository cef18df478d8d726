"""A page that is one table: what can be found in it, marked, sorted and copied."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import ClassVar, Generic

from textual.binding import Binding, BindingType
from textual.containers import Container
from textual.widget import Widget
from textual.widgets import Input

from evalbox.tui.context import Context
from evalbox.tui.model.few import Found
from evalbox.tui.model.query import Query, parse
from evalbox.tui.model.view import Order
from evalbox.tui.screens.page import Page
from evalbox.tui.text import steady
from evalbox.tui.theme import Tone
from evalbox.tui.widgets.columns import Column, R
from evalbox.tui.widgets.picture import Line, Picture, Span, ends
from evalbox.tui.widgets.table import Table

#: From so many lines on there is room beneath a table for more of a row, and beside it from so
#: many cells on.
_HIGH, _BROAD = 22, 180


class TablePage(Page, Generic[R]):
    """``make_columns``, ``make_view`` and ``identify`` make the difference.

    What shows other rows than evaluations says in ``fields`` what a filter finds in them.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("slash", "filter", "filter", id="list.filter", tooltip="Show only what fits"),
        Binding("space", "mark", "mark", id="list.mark", tooltip="Mark the row, for what is done"),
        Binding("a", "mark_all", "mark all", show=False, id="list.mark_all",
                tooltip="Mark all that are shown"),
        Binding("s", "sort_next", "sort", id="list.sort", tooltip="Sort by the next column"),
        Binding("R", "reverse", "reverse", show=False, id="list.reverse",
                tooltip="Reverse the order"),
        Binding("y", "copy", "copy", id="list.copy", tooltip="Copy what names the row"),
        Binding("escape", "clear", "clear", show=False, id="list.clear",
                tooltip="Forget the marks, then the filter"),
    ]  # fmt: skip
    EMPTY = ""
    #: What is told in the field of the filter.
    HINT = "word  !word  field:word"
    #: One row, and several.
    NOUNS = ("row", "rows")
    #: Whether ``detail_of`` tells more of the row under the cursor.
    DETAILED = False

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.columns = self.make_columns()
        self.view = self.make_view()
        self.table: Table[R] = Table(
            self.columns,
            identify=self.identify,
            empty=self.EMPTY,
            glyphs=context.glyphs,
            id="rows",
        )
        self.status = Picture(self._status, id="status")
        self.detail = Picture(self._detail, id="detail")
        self.detail.display = False
        self.shelf = Container(self.table, self.detail, id="shelf") if self.DETAILED else None
        self.field = Input(placeholder=self.HINT, id="filter")
        self.field.display = False
        self._renewing = False
        self._told_sorting()

    def make_columns(self) -> Sequence[Column[R]]:
        raise NotImplementedError

    def make_view(self) -> Found[R]:
        raise NotImplementedError

    def identify(self, row: R) -> str:
        """What makes it the same row when it moves or changes."""
        raise NotImplementedError

    def fields(self) -> Mapping[str, Callable[[R], str]]:
        """What a filter looks in, by the names of ``field:word``."""
        return {}

    def body(self) -> Iterable[Widget]:
        yield self.status
        yield self.shelf or self.table
        yield self.field

    def on_mount(self) -> None:
        self.table.focus()
        self.renew()

    # --- what is shown ---

    def redraw(self) -> None:
        super().redraw()
        if self.view.due(time.monotonic()):
            self.renew()
        else:
            self.show_rows()

    def renew(self) -> None:
        """One at a time, since what is being made cannot be ended from here."""
        if not self._renewing:
            self._renewing = True
            self.begin(self._renewed)

    async def _renewed(self) -> None:
        try:
            while not await self.view.renew():
                pass
        finally:
            self._renewing = False
        self.show_rows()

    def show_rows(self) -> None:
        if self.table.rows is not self.view.rows:
            self.table.show(self.view.rows)
        else:
            self.table.look()
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

    # --- finding ---

    def query_of(self, text: str) -> Query:
        fields = self.fields()
        return parse(text, fields, lambda row: "\n".join(text(row) for text in fields.values()))

    def action_filter(self) -> None:
        self.field.display = True
        self.field.focus()

    def on_input_changed(self, event: Input.Changed) -> None:
        self.view.query = self.query_of(event.value)
        self.renew()

    def on_input_submitted(self) -> None:
        self._leave_filter()

    def _leave_filter(self) -> None:
        self.field.display = bool(self.field.value)
        self.table.focus()

    def action_clear(self) -> None:
        if self.table.marked and not self.field.has_focus:
            self.table.clear_marks()
            self.show_rows()
        elif self.field.display:
            self.field.value = ""
            self._leave_filter()
        else:
            self.back()

    def back(self) -> None:
        """Where there is nothing to clear."""

    def _sorts(self) -> list[Column[R]]:
        return [column for column in self.columns if column.sort and column.needed()]

    def default_order(self) -> Order | None:
        """What the rows are in before anyone sorts them."""
        return self.make_view().order

    def action_sort_next(self) -> None:
        names = ["", *(column.name for column in self._sorts())]
        now = self.view.order.name if self.view.order else ""
        self._sort(names[(names.index(now) + 1) % len(names)] if now in names else "")

    def action_sort(self, name: str) -> None:
        """By that column; where it is so already, the other way round."""
        if self.view.order is not None and self.view.order.name == name:
            self.action_reverse()
        else:
            self._sort(name)

    def action_reverse(self) -> None:
        order = self.view.order
        if order is not None:
            self._set_order(replace(order, falling=not order.falling))

    def _sort(self, name: str) -> None:
        for column in self.columns:
            if column.name == name and column.sort is not None:
                self._set_order(Order(name, column.sort, column.falling, column.live))
                return
        self._set_order(self.default_order())

    def _set_order(self, order: Order | None) -> None:
        self.view.order = order
        self._told_sorting()
        self.table.action_top()
        self.renew()
        self.table.refresh()

    def _told_sorting(self) -> None:
        order = self.view.order
        self.table.sorted_by = (order.name, order.falling) if order else ("", False)

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

    def on_table_sorted(self, event: Table.Sorted) -> None:
        event.stop()
        self.action_sort(event.column)

    def on_table_opened(self, event: Table.Opened) -> None:
        event.stop()
        if self.table.current is not None:
            self.open(self.table.current)

    def open(self, row: R) -> None:
        """Looks into it."""
