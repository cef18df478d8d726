"""A live table of evaluations, with what can be done to its rows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import ClassVar

from textual.binding import Binding, BindingType

from evalbox.tui.model.query import Query, parse
from evalbox.tui.model.row import Row
from evalbox.tui.model.view import View
from evalbox.tui.screens.choice import confirm
from evalbox.tui.screens.table_page import TablePage
from evalbox.tui.wording import count

_NAMED = 8


class Listing(TablePage[Row]):
    """``make_columns`` and ``make_view`` make the difference."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("x", "cancel", "cancel", id="evaluation.cancel", tooltip="Cancel"),
        Binding("r", "retry", "retry", id="evaluation.retry", tooltip="Queue again"),
        Binding("D", "remove", "remove", id="evaluation.remove",
                tooltip="Remove, with its files"),
        Binding("delete", "remove", "remove", show=False, id="evaluation.remove_too",
                tooltip="Remove, with its files"),
    ]  # fmt: skip
    CHANGING: ClassVar[frozenset[str]] = frozenset({"cancel", "retry", "remove"})
    HINT = "word  !word  state:running  batch:..."
    NOUNS = ("evaluation", "evaluations")

    def make_view(self) -> View:
        return View(self.context.book)

    def identify(self, row: Row) -> str:
        return row.id

    def query_of(self, text: str) -> Query:
        return parse(text)

    # --- doing ---

    def targets(self, fit: Callable[[Row], bool]) -> list[Row]:
        """Those marked, or the one under the cursor, as far as they ``fit``."""
        book, table = self.context.book, self.table
        if table.marked:
            rows = [row for one in table.marked if (row := book.get(one)) is not None]
        else:
            rows = [table.current] if table.current is not None else []
        return sorted((row for row in rows if fit(row)), key=lambda row: row.id, reverse=True)

    def chosen(self) -> list[Row]:
        return self.targets(lambda row: True)

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

    def open(self, row: Row) -> None:
        from evalbox.tui.screens.evaluation import EvaluationScreen

        self.app.push_screen(EvaluationScreen(self.context, row))
