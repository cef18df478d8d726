"""All evaluations, live."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual.binding import Binding, BindingType

from evalbox.tui import wording
from evalbox.tui.model.row import Row
from evalbox.tui.screens.listing import Listing
from evalbox.tui.theme import Tone
from evalbox.tui.widgets.columns import Cell, Column


class EvaluationsScreen(Listing):
    NAME = "Evaluations"
    EMPTY = "Nothing has been submitted yet. In another shell: evalbox run hello.py"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("S", "sort('state')", "by state", show=False, id="sort.state",
                tooltip="Sort by state"),
        Binding("T", "sort('task')", "by task", show=False, id="sort.task",
                tooltip="Sort by task"),
        Binding("B", "sort('batch')", "by batch", show=False, id="sort.batch",
                tooltip="Sort by batch"),
        Binding("O", "sort('outcome')", "by outcome", show=False, id="sort.outcome",
                tooltip="Sort by outcome"),
        Binding("E", "sort('elapsed')", "by elapsed", show=False, id="sort.elapsed",
                tooltip="Sort by time elapsed"),
    ]  # fmt: skip

    def make_columns(self) -> Sequence[Column[Row]]:
        book, glyphs, now = self.context.book, self.context.glyphs, self.context.clock.now
        states = list(wording.STATES)
        return [
            Column("state", "STATE", 12, lambda row: wording.state(row, glyphs),
                   sort=lambda row: states.index(row.state)),
            Column("task", "TASK", 16, lambda row: Cell(row.name, Tone.STRONG),
                   flex=True, sort=lambda row: row.name),
            Column("batch", "BATCH", 14, lambda row: Cell(row.batch), rank=6,
                   sort=lambda row: row.batch),
            Column("outcome", "OUTCOME", 13, wording.outcome, rank=3,
                   sort=lambda row: row.outcome or ""),
            Column("activity", "ACTIVITY", 18, lambda row: wording.activity(row, now()),
                   flex=True, rank=1),
            Column("tries", "TRIES", 5, _tries, right=True, rank=4,
                   needed=lambda: book.retried > 0, sort=lambda row: row.attempts, falling=True),
            Column("elapsed", "ELAPSED", 8, lambda row: wording.elapsed(row, now()),
                   right=True, rank=2, sort=lambda row: row.elapsed(now()) or 0.0, falling=True),
            Column("age", "AGE", 4,
                   lambda row: Cell(wording.age(now() - row.created_at), Tone.MUTED),
                   right=True, rank=7),
            Column("id", "ID", 8, lambda row: Cell(row.short_id, Tone.FAINT), rank=8),
        ]  # fmt: skip


def _tries(row: Row) -> Cell:
    return Cell(str(row.attempts), Tone.WARN) if row.attempts > 1 else Cell("")
