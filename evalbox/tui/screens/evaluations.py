"""All evaluations, live."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import ClassVar

from textual.binding import Binding, BindingType

from evalbox.domain.activity import Activity
from evalbox.tui import wording
from evalbox.tui.model.row import Row
from evalbox.tui.screens.listing import Listing
from evalbox.tui.theme import Tone
from evalbox.tui.widgets.columns import Cell, Column
from evalbox.tui.widgets.picture import Line

#: Cells of the bar of progress.
_BAR = 8


class EvaluationsScreen(Listing):
    NAME = "Evaluations"
    EMPTY = "Nothing has been submitted yet. In another shell: evalbox run hello.py"
    ATTENDS = True
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(key, f"sort('{name}')", f"by {name}", show=False, id=f"sort.{name}",
                tooltip=f"Sort by {words}")
        for key, name, words in (
            ("S", "state", "state"),
            ("T", "task", "task"),
            ("A", "agent", "agent"),
            ("B", "batch", "batch"),
            ("V", "score", "score"),
            ("O", "outcome", "outcome"),
            ("E", "elapsed", "time elapsed"),
            ("I", "idle", "time since anything was heard of it"),
            ("U", "cpu", "processors in use"),
            ("M", "memory", "memory in use"),
        )
    ]  # fmt: skip

    def make_columns(self) -> Sequence[Column[Row]]:
        book, standing, glyphs = self.context.book, self.context.standing, self.context.glyphs
        now = self.context.clock.now
        states = list(wording.STATES)

        def doing(row: Row) -> Activity | None:
            return standing.activity.get(row.id)

        def attended() -> bool:
            return standing.attended

        return [
            Column("state", "STATE", 12, lambda row: wording.state(row, glyphs),
                   sort=lambda row: states.index(row.state)),
            Column("task", "TASK", 22, lambda row: Cell(row.name, Tone.STRONG),
                   flex=True, sort=lambda row: row.name),
            Column("agent", "AGENT", 10, lambda row: Cell(row.agent), rank=5,
                   needed=lambda: book.led > 0, sort=lambda row: row.agent),
            Column("progress", "PROGRESS", _BAR,
                   lambda row: wording.progress(row, doing(row), now(), glyphs, _BAR),
                   rank=9, needed=attended),
            Column("score", "SCORE", 7, wording.score, right=True, rank=3,
                   needed=lambda: book.scored > 0, sort=_worth, falling=True),
            Column("outcome", "OUTCOME", 13, wording.outcome, rank=4,
                   sort=lambda row: row.outcome or ""),
            Column("elapsed", "ELAPSED", 8, lambda row: wording.elapsed(row, now()),
                   right=True, rank=2, sort=lambda row: row.elapsed(now()) or 0.0, falling=True,
                   live=True),
            Column("idle", "IDLE", 4, lambda row: wording.idle(row, doing(row), now()),
                   right=True, rank=6, needed=attended, falling=True, live=True,
                   sort=lambda row: wording.quiet(row, doing(row), now()) or 0.0),
            Column("activity", "ACTIVITY", 18,
                   lambda row: wording.activity(row, doing(row), now()), flex=True, rank=1),
            Column("cpu", "CPU", 5, lambda row: wording.cores(row, doing(row)), right=True,
                   rank=8, needed=attended, falling=True, live=True,
                   sort=lambda row: (one.cpu or 0.0) if (one := doing(row)) else -1.0),
            Column("memory", "MEM", 5, lambda row: wording.memory(row, doing(row)), right=True,
                   rank=7, needed=attended, falling=True, live=True,
                   sort=lambda row: (one.memory or 0) if (one := doing(row)) else -1),
            Column("tries", "TRIES", 5, lambda row: _several(row.attempts, 1), right=True,
                   rank=10, needed=lambda: book.retried > 0, sort=lambda row: row.attempts,
                   falling=True),
            Column("errors", "ERRORS", 6, lambda row: _several(row.troubles, 0), right=True,
                   rank=11, needed=lambda: book.troubled > 0, sort=lambda row: row.troubles,
                   falling=True),
            Column("batch", "BATCH", 14, lambda row: Cell(row.batch), rank=12,
                   sort=lambda row: row.batch),
            Column("age", "AGE", 4,
                   lambda row: Cell(wording.age(now() - row.created_at), Tone.MUTED),
                   right=True, rank=13, sort=lambda row: row.created_at),
            Column("id", "ID", 8, lambda row: Cell(row.short_id, Tone.FAINT), rank=14),
        ]  # fmt: skip

    def aside(self) -> Line:
        """How far the history has been read, since what is not is not found either."""
        book, queue = self.context.book, self.context.standing.queue
        if book.complete or queue is None:
            return super().aside()
        share = len(book) / max(1, len(book), sum(queue.states.values()))
        return [(f"{share:.0%} of the history read ", Tone.MUTED)]


def _several(number: int, usual: int) -> Cell:
    return Cell(str(number), Tone.WARN) if number > usual else Cell("")


def _worth(row: Row) -> float:
    """What is no number comes behind all that are."""
    value = row.score.value if row.score else None
    return -math.inf if value is None else value
