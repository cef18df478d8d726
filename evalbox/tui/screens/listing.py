"""A live table of evaluations, with what can be done to its rows."""

from __future__ import annotations

from collections.abc import Callable

from evalbox.tui.acting import Acting
from evalbox.tui.model.query import Query, parse
from evalbox.tui.model.row import Row
from evalbox.tui.model.view import View
from evalbox.tui.screens.table_page import TablePage


class Listing(Acting, TablePage[Row]):
    """``make_columns`` and ``make_view`` make the difference."""

    HINT = "word  !word  state:running  batch:..."
    NOUNS = ("evaluation", "evaluations")

    def make_view(self) -> View:
        return View(self.context.book)

    def identify(self, row: Row) -> str:
        return row.id

    def query_of(self, text: str) -> Query:
        return parse(text)

    # --- doing ---

    def chosen(self) -> list[Row]:
        """Those marked, be they shown or not, or the one under the cursor."""
        book, table = self.context.book, self.table
        if not table.marked:
            return [table.current] if table.current is not None else []
        rows = [row for one in table.marked if (row := book.get(one)) is not None]
        return sorted(rows, key=lambda row: row.id, reverse=True)

    def exported(self) -> list[Row]:
        """Those marked, or all that are shown."""
        return self.chosen() if self.table.marked else list(self.view.rows)

    def targets(self, fit: Callable[[Row], bool]) -> list[Row]:
        """Those of them that ``fit``."""
        return [row for row in self.chosen() if fit(row)]

    def acted(self) -> None:
        self.table.clear_marks()
        self.look()

    def open(self, row: Row) -> None:
        from evalbox.tui.screens.evaluation import EvaluationScreen

        self.app.push_screen(EvaluationScreen(self.context, row))
