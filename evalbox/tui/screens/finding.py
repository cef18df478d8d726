"""Rows of a table: which are wanted, and in which order."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import ClassVar, Generic

from textual.binding import Binding, BindingType
from textual.widgets import Input

from evalbox.tui.context import Context
from evalbox.tui.model.few import Found
from evalbox.tui.model.query import Query, parse
from evalbox.tui.model.view import Order
from evalbox.tui.screens.page import Page
from evalbox.tui.widgets.columns import Column, R
from evalbox.tui.widgets.table import Table


class Finding(Page, Generic[R]):
    """What shows other rows than evaluations says in ``fields`` what a filter finds in them."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("slash", "filter", "filter", id="list.filter", tooltip="Show only what fits"),
        Binding("s", "sort_next", "sort", id="list.sort", tooltip="Sort by the next column"),
        Binding("R", "reverse", "reverse", show=False, id="list.reverse",
                tooltip="Reverse the order"),
        Binding("escape", "clear", "clear", show=False, id="list.clear",
                tooltip="Forget the marks, then the filter"),
    ]  # fmt: skip
    EMPTY = ""
    #: What is told in the field of the filter.
    HINT = "word  !word  field:word"

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

    def on_table_sorted(self, event: Table.Sorted) -> None:
        event.stop()
        self.action_sort(event.column)
