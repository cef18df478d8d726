"""A live table of evaluations, with what can be found in it and done to its rows."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.widget import Widget
from textual.widgets import Input

from evalbox.tui.clipboard import copy
from evalbox.tui.context import Context
from evalbox.tui.model.query import parse
from evalbox.tui.model.row import Row
from evalbox.tui.model.view import Order, View
from evalbox.tui.screens.choice import confirm
from evalbox.tui.screens.page import Page
from evalbox.tui.text import steady
from evalbox.tui.theme import Tone
from evalbox.tui.widgets.columns import Column
from evalbox.tui.widgets.picture import Line, Picture, Span, ends
from evalbox.tui.widgets.table import Table
from evalbox.tui.wording import count

_NAMED = 8


class Listing(Page):
    """``columns`` and ``view`` make the difference."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("slash", "filter", "filter", id="list.filter", tooltip="Show only what fits"),
        Binding("space", "mark", "mark", id="list.mark", tooltip="Mark the row, for what is done"),
        Binding("x", "cancel", "cancel", id="evaluation.cancel", tooltip="Cancel"),
        Binding("r", "retry", "retry", id="evaluation.retry", tooltip="Queue again"),
        Binding("D", "remove", "remove", id="evaluation.remove",
                tooltip="Remove, with its files"),
        Binding("delete", "remove", "remove", show=False, id="evaluation.remove_too",
                tooltip="Remove, with its files"),
        Binding("y", "copy", "copy id", id="evaluation.copy", tooltip="Copy the id"),
        Binding("a", "mark_all", "mark all", show=False, id="list.mark_all",
                tooltip="Mark all that are shown"),
        Binding("s", "sort_next", "sort", id="list.sort", tooltip="Sort by the next column"),
        Binding("R", "reverse", "reverse", show=False, id="list.reverse",
                tooltip="Reverse the order"),
        Binding("escape", "clear", "clear", show=False, id="list.clear",
                tooltip="Forget the marks, then the filter"),
    ]  # fmt: skip
    CHANGING: ClassVar[frozenset[str]] = frozenset({"cancel", "retry", "remove"})
    EMPTY = ""

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.columns = self.make_columns()
        self.view = self.make_view()
        self.table: Table[Row] = Table(
            self.columns,
            identify=lambda row: row.id,
            empty=self.EMPTY,
            glyphs=context.glyphs,
            id="rows",
        )
        self.status = Picture(self._status, id="status")
        self.field = Input(placeholder="word  !word  state:running  batch:...", id="filter")
        self.field.display = False
        self._renewing = False
        self._told_sorting()

    def make_columns(self) -> Sequence[Column[Row]]:
        raise NotImplementedError

    def make_view(self) -> View:
        return View(self.context.book)

    def body(self) -> Iterable[Widget]:
        yield self.status
        yield self.table
        yield self.field

    def on_mount(self) -> None:
        self.table.focus()
        self._renew()

    # --- what is shown ---

    def redraw(self) -> None:
        super().redraw()
        if self.view.due(time.monotonic()):
            self._renew()
        else:
            self._show()

    def _renew(self) -> None:
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
        self._show()

    def _show(self) -> None:
        if self.table.rows is not self.view.rows:
            self.table.show(self.view.rows)
        else:
            self.table.look()
        self.status.look()

    def _status(self, width: int) -> Sequence[Line]:
        rows, query = len(self.view.rows), self.view.query
        left: list[Span] = [(f" {rows:,}", Tone.STRONG)]
        if query.terms:
            left += [(f" of {len(self.context.book):,}", Tone.MUTED)]
            left += [("  filter ", Tone.MUTED), (steady(query.source), Tone.ACCENT)]
        else:
            left += [(f" {self.noun(rows)}", Tone.MUTED)]
        if query.problem:
            left += [(f"  {steady(query.problem)}", Tone.WARN)]
        if marked := len(self.table.marked):
            left += [("  ", Tone.MUTED), (f"{marked:,} marked", Tone.WARN)]
        return [ends(left, self.aside(), width)]

    def noun(self, rows: int) -> str:
        return "evaluation" if rows == 1 else "evaluations"

    def aside(self) -> Line:
        """What stands at the right of the status."""
        return []

    # --- finding ---

    def action_filter(self) -> None:
        self.field.display = True
        self.field.focus()

    def on_input_changed(self, event: Input.Changed) -> None:
        self.view.query = parse(event.value)
        self._renew()

    def on_input_submitted(self) -> None:
        self._leave_filter()

    def _leave_filter(self) -> None:
        self.field.display = bool(self.field.value)
        self.table.focus()

    def action_clear(self) -> None:
        if self.field.has_focus or not self.table.marked:
            self.field.value = ""
            self._leave_filter()
        else:
            self.table.clear_marks()
            self._show()

    def _sorts(self) -> list[Column[Row]]:
        return [column for column in self.columns if column.sort and column.needed()]

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
            self._set_order(Order(order.name, order.key, not order.falling))

    def _sort(self, name: str) -> None:
        for column in self.columns:
            if column.name == name and column.sort is not None:
                self._set_order(Order(name, column.sort, column.falling))
                return
        self._set_order(self.make_view().order)

    def _set_order(self, order: Order | None) -> None:
        self.view.order = order
        self._told_sorting()
        self.table.action_top()
        self._renew()
        self.table.refresh()

    def _told_sorting(self) -> None:
        order = self.view.order
        self.table.sorted_by = (order.name, order.falling) if order else ("", False)

    # --- doing ---

    def action_mark(self) -> None:
        self.table.toggle_mark()
        self._show()

    def action_mark_all(self) -> None:
        self.table.marked |= {row.id for row in self.view.rows}
        self._show()

    def targets(self, fit: Callable[[Row], bool]) -> list[Row]:
        """Those marked, or the one under the cursor, as far as they ``fit``."""
        book, table = self.context.book, self.table
        if table.marked:
            rows = [row for one in table.marked if (row := book.get(one)) is not None]
        else:
            rows = [table.current] if table.current is not None else []
        return sorted((row for row in rows if fit(row)), key=lambda row: row.id, reverse=True)

    def action_cancel(self) -> None:
        rows = self.targets(lambda row: not row.over)
        if not rows:
            self.tell("nothing to cancel: it has ended")
            return
        box = self.context.box
        self._act(rows, f"Cancel {count(len(rows), 'evaluation')}?", "cancel",
                  box.cancel, "asked to cancel")  # fmt: skip

    def action_remove(self) -> None:
        rows = self.targets(lambda row: row.over)
        if not rows:
            self.tell("nothing to remove: it has not ended")
            return
        question = f"Remove {count(len(rows), 'evaluation')}, with output and artifacts?"
        self._act(rows, question, "remove", self.context.box.remove, "removed")

    def action_retry(self) -> None:
        rows = self.targets(lambda row: row.over)
        if not rows:
            self.tell("nothing to try again: it has not ended")
        elif len(rows) == 1:
            self.begin(partial(self._done, rows, self.context.box.retry, "queued again"))
        else:
            self._act(rows, f"Queue {len(rows):,} evaluations again?", "queue again",
                      self.context.box.retry, "queued again")  # fmt: skip

    def _act(
        self,
        rows: Sequence[Row],
        question: str,
        yes: str,
        do: Callable[[Sequence[str]], object],
        done: str,
    ) -> None:
        detail = [f"{row.short_id}  {row.name}" for row in rows[:_NAMED]]
        if len(rows) > _NAMED:
            detail.append(f"and {len(rows) - _NAMED:,} more")

        def answered(sure: bool) -> None:
            if sure:
                self.begin(partial(self._done, rows, do, done))

        self.ask(confirm(question, detail=detail, yes=yes), answered)

    async def _done(
        self, rows: Sequence[Row], do: Callable[[Sequence[str]], object], done: str
    ) -> None:
        await do([row.id for row in rows])  # type: ignore[misc]
        self.table.clear_marks()
        self.tell(f"{count(len(rows), 'evaluation')} {done}")
        self.look()

    def action_copy(self) -> None:
        rows = self.targets(lambda row: True)
        if rows:
            self.begin(partial(self._copied, "\n".join(row.id for row in rows)))

    async def _copied(self, text: str) -> None:
        driver = self.app._driver
        where = await copy(text, driver.write if driver is not None else lambda _: None)
        self.tell(where)

    def on_table_moved(self, event: Table.Moved) -> None:
        event.stop()
        self.moved(self.table.current)

    def moved(self, row: Row | None) -> None:
        """The cursor is on another row."""

    def on_table_opened(self, event: Table.Opened) -> None:
        event.stop()
        if self.table.current is not None:
            self.open(self.table.current)

    def open(self, row: Row) -> None:
        from evalbox.tui.screens.evaluation import EvaluationScreen

        self.app.push_screen(EvaluationScreen(self.context, row))
