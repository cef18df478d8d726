"""What waits, in the order in which it will start; what is dead; and what keeps it."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import ClassVar

from textual.binding import Binding, BindingType

from evalbox.domain.evaluation import Priority
from evalbox.domain.state import State
from evalbox.tui import wording
from evalbox.tui.model.row import Row
from evalbox.tui.model.view import Order, View
from evalbox.tui.screens.listing import Listing
from evalbox.tui.text import steady
from evalbox.tui.theme import Tone
from evalbox.tui.widgets.columns import Cell, Column
from evalbox.tui.widgets.picture import Line

_PRIORITIES = {
    Priority.HIGH: Cell("high", Tone.WARN),
    Priority.NORMAL: Cell("normal", Tone.MUTED),
    Priority.LOW: Cell("low", Tone.FAINT),
}


class QueueScreen(Listing):
    NAME = "Queue"
    EMPTY = "Nothing waits."
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("d", "dead", "dead letters", id="queue.dead",
                tooltip="Switch between what waits and the dead letters"),
        Binding("p", "pause", "pause", id="queue.pause", tooltip="Start nothing more, or resume"),
        Binding("plus", "slots(1)", "slot more", id="queue.more",
                tooltip="Run one more at once"),
        Binding("minus", "slots(-1)", "slot less", id="queue.less",
                tooltip="Run one less at once"),
    ]  # fmt: skip
    CHANGING: ClassVar[frozenset[str]] = Listing.CHANGING | {"pause", "slots"}

    _dead = False
    _why = ""

    def make_columns(self) -> Sequence[Column[Row]]:
        glyphs, now = self.context.glyphs, self.context.clock.now
        return [
            Column("state", "STATE", 10, lambda row: wording.state(row, glyphs)),
            Column("priority", "PRIORITY", 8, lambda row: _PRIORITIES[Priority(row.priority)],
                   sort=lambda row: row.priority, rank=2),
            Column("task", "TASK", 16, lambda row: Cell(row.name, Tone.STRONG), flex=True,
                   sort=lambda row: row.name),
            Column("batch", "BATCH", 14, lambda row: Cell(row.batch), rank=4,
                   sort=lambda row: row.batch),
            Column("activity", "WAITS", 20, lambda row: wording.activity(row, None, now()),
                   flex=True, rank=1),
            Column("tries", "TRIES", 5, lambda row: Cell(str(row.attempts or "")), right=True,
                   rank=3, sort=lambda row: row.attempts, falling=True),
            Column("age", "AGE", 4,
                   lambda row: Cell(wording.age(now() - row.created_at), Tone.MUTED),
                   right=True, rank=5),
            Column("id", "ID", 8, lambda row: Cell(row.short_id, Tone.FAINT), rank=6),
        ]  # fmt: skip

    def make_view(self) -> View:
        if self._dead:
            return View(self.context.book, always=lambda row: row.state is State.DEAD)
        # As the claim has it: by priority, then age; what is not due yet comes last.
        return View(
            self.context.book,
            always=lambda row: row.state is State.QUEUED,
            order=Order("", lambda row: (row.not_before or 0.0, row.priority, row.id)),
        )

    def noun(self, rows: int) -> str:
        return "dead" if self._dead else "waiting, next first"

    def aside(self) -> Line:
        if self._why:
            return [(f"{steady(self._why)} ", Tone.MUTED)]
        return [(f"{steady(self.context.standing.admission)} ", Tone.MUTED)]

    def moved(self, row: Row | None) -> None:
        self._why = ""
        if row is not None and row.state is State.QUEUED:
            self.begin(partial(self._explain, row.id), group="why")

    async def _explain(self, evaluation_id: str) -> None:
        self._why = await self.context.box.explain(evaluation_id)
        self.show_rows()

    def action_dead(self) -> None:
        self._dead = not self._dead
        query, self.view = self.view.query, self.make_view()
        self.view.query = query
        self._why = ""
        self.table.action_top()
        self.renew()

    def action_pause(self) -> None:
        queue = self.context.standing.queue
        if queue is not None:
            self.begin(partial(self._pause, not queue.paused))

    async def _pause(self, pause: bool) -> None:
        box = self.context.box
        await (box.pause() if pause else box.resume())
        await self._look_again("the queue is paused" if pause else "the queue goes on")

    def action_slots(self, by: int) -> None:
        queue = self.context.standing.queue
        if queue is not None:
            self.begin(partial(self._resize, queue.slots + by))

    async def _resize(self, slots: int) -> None:
        await self.context.box.set_slots(slots)
        await self._look_again(f"{slots} run at once")

    async def _look_again(self, told: str) -> None:
        standing = self.context.standing
        standing.queue = await self.context.box.queue()
        self.tell(told)
        self.look()
