"""What waits, in the order in which it will start, and why; what is dead; what keeps it."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from functools import partial
from typing import ClassVar

from textual.binding import Binding, BindingType

from evalbox.domain.evaluation import Priority
from evalbox.domain.records import EvaluationFilter
from evalbox.domain.state import State
from evalbox.tui import wording
from evalbox.tui.context import Context
from evalbox.tui.model.members import do_to_all
from evalbox.tui.model.reasons import Reasons
from evalbox.tui.model.row import Row
from evalbox.tui.model.view import Order, View
from evalbox.tui.screens.choice import confirm
from evalbox.tui.screens.listing import Listing
from evalbox.tui.screens.prompt import Prompt, whole
from evalbox.tui.text import steady
from evalbox.tui.theme import Tone
from evalbox.tui.widgets.columns import Cell, Column
from evalbox.tui.widgets.picture import Line
from evalbox.tui.wording import count

_PRIORITIES = {
    Priority.HIGH: Cell("high", Tone.WARN),
    Priority.NORMAL: Cell("normal", Tone.MUTED),
    Priority.LOW: Cell("low", Tone.FAINT),
}
_DEAD = EvaluationFilter(states=frozenset({State.DEAD}))
_MOST_SLOTS = 1024


class QueueScreen(Listing):
    NAME = "Queue"
    EMPTY = "Nothing waits."
    NONE_DEAD = "There are no dead letters."
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("d", "dead", "dead letters", id="queue.dead",
                tooltip="Switch between what waits and the dead letters"),
        Binding("A", "requeue_all", "requeue all", id="queue.requeue_all",
                tooltip="Queue all dead letters again"),
        Binding("H", "hold", "hold", id="queue.hold", tooltip="Start nothing more, or go on"),
        Binding("equals_sign", "resize", "slots", id="queue.slots",
                tooltip="Set how many run at once"),
        Binding("plus", "slots(1)", "slot more", show=False, id="queue.more",
                tooltip="Run one more at once"),
        Binding("minus", "slots(-1)", "slot less", show=False, id="queue.less",
                tooltip="Run one less at once"),
    ]  # fmt: skip
    CHANGING: ClassVar[frozenset[str]] = Listing.CHANGING | {
        "hold", "slots", "resize", "requeue_all",
    }  # fmt: skip

    _dead = False
    #: Seconds since 1970 at which the next of those that are not due yet will be.
    _true_until = math.inf

    def __init__(self, context: Context) -> None:
        self._reasons = Reasons(context.box)
        self._asking = False
        super().__init__(context)

    def make_columns(self) -> Sequence[Column[Row]]:
        glyphs, now = self.context.glyphs, self.context.clock.now

        def waits() -> bool:
            return not self._dead

        def dead() -> bool:
            return self._dead

        return [
            Column("state", "STATE", 10, lambda row: wording.state(row, glyphs), rank=8),
            Column("priority", "PRIORITY", 8, lambda row: _PRIORITIES[Priority(row.priority)],
                   sort=lambda row: row.priority, rank=2, needed=waits),
            Column("outcome", "OUTCOME", 13, wording.outcome, rank=3, needed=dead,
                   sort=lambda row: row.outcome or ""),
            Column("task", "TASK", 16, lambda row: Cell(row.name, Tone.STRONG), flex=True,
                   sort=lambda row: row.name),
            Column("batch", "BATCH", 12, lambda row: Cell(row.batch), rank=5,
                   sort=lambda row: row.batch),
            Column("due", "NOT BEFORE", 17, lambda row: _due(row, now()), rank=4,
                   needed=lambda: waits() and self._delayed(now()),
                   sort=lambda row: row.not_before or 0.0),
            Column("why", "WHY IT WAITS", 24, self._why, flex=True, rank=1, needed=waits),
            Column("error", "ERROR", 24, lambda row: Cell(row.error or row.reason), flex=True,
                   rank=1, needed=dead, sort=lambda row: row.error or row.reason),
            Column("tries", "TRIES", 5, lambda row: Cell(str(row.attempts or "")), right=True,
                   rank=6, sort=lambda row: row.attempts, falling=True),
            Column("age", "AGE", 4,
                   lambda row: Cell(wording.age(now() - row.created_at), Tone.MUTED),
                   right=True, rank=7, sort=lambda row: row.created_at),
            Column("id", "ID", 8, lambda row: Cell(row.short_id, Tone.FAINT), rank=9),
        ]  # fmt: skip

    def make_view(self) -> View:
        if self._dead:
            return View(self.context.book, always=lambda row: row.state is State.DEAD)
        return View(
            self.context.book,
            always=lambda row: row.state is State.QUEUED,
            order=self._by_turn(),
        )

    def _by_turn(self) -> Order:
        """As the claim has it: by priority, then age; what is not due yet comes last."""
        now = self.context.clock.now()
        self._true_until = math.inf

        def turn(row: Row) -> tuple[float, int, str]:
            due = row.not_before or 0.0
            if due > now:
                self._true_until = min(self._true_until, due)
                return (due, row.priority, row.id)
            return (0.0, row.priority, row.id)

        return Order("", turn)

    def noun(self, rows: int) -> str:
        if self._dead:
            return "dead letter" if rows == 1 else "dead letters"
        return "waiting, next first"

    # --- why it waits ---

    def redraw(self) -> None:
        order = self.view.order
        if order is not None and not order.name and self.context.clock.now() >= self._true_until:
            self.view.order = self._by_turn()
        super().redraw()
        if not self._asking and self._reasons.due(self._seen(), time.monotonic()):
            self._asking = True
            self.begin(self._ask)

    def _seen(self) -> list[str]:
        return [row.id for row in self.table.seen if row.state is State.QUEUED]

    async def _ask(self) -> None:
        try:
            await self._reasons.ask()
        finally:
            self._asking = False
        self.show_rows()

    def _why(self, row: Row) -> Cell:
        told = self._reasons.get(row.id)
        if told:
            return Cell(told, Tone.MUTED)
        return wording.activity(row, None, self.context.clock.now())

    def _delayed(self, now: float) -> bool:
        return any(row.not_before is not None and row.not_before > now for row in self.table.seen)

    def aside(self) -> Line:
        row = self.table.current
        why = "" if row is None or self._dead else self._reasons.get(row.id)
        return [(f"{steady(why or self.context.standing.admission)} ", Tone.MUTED)]

    # --- dead letters ---

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action == "requeue_all" and not self._dead:
            return False
        return super().check_action(action, parameters)

    def action_dead(self) -> None:
        self._dead = not self._dead
        query, self.view = self.view.query, self.make_view()
        self.view.query = query
        self.table.empty = self.NONE_DEAD if self._dead else self.EMPTY
        self.table.clear_marks()
        self.table.action_top()
        self.table.refresh()
        self.refresh_bindings()
        self.renew()

    def action_requeue_all(self) -> None:
        number = self.context.book.states[State.DEAD]
        if not number:
            self.tell("there are no dead letters")
            return

        def answered(sure: bool) -> None:
            if sure:
                self.begin(self._requeue_all)

        asked = f"Queue all dead letters again: {count(number, 'evaluation')}?"
        self.ask(confirm(asked, yes="queue again"), answered)

    async def _requeue_all(self) -> None:
        box = self.context.box
        ids: list[str] = []

        async def again(part: Sequence[str]) -> None:
            await box.retry(part)
            ids.extend(part)

        number = await do_to_all(box, _DEAD, again)
        self.requeued(ids)
        self.tell(f"{count(number, 'evaluation')} queued again")
        self.acted()

    # --- the queue itself ---

    def action_hold(self) -> None:
        queue = self.context.standing.queue
        if queue is not None:
            self.begin(partial(self._hold, not queue.paused))

    async def _hold(self, hold: bool) -> None:
        words = await self._set_hold(hold)
        self.context.undoing.remember(words, partial(self._set_hold, not hold))
        await self._look_again(words)

    async def _set_hold(self, hold: bool) -> str:
        box = self.context.box
        await (box.pause() if hold else box.resume())
        return "the queue is paused" if hold else "the queue goes on"

    def action_slots(self, by: int) -> None:
        queue = self.context.standing.queue
        if queue is not None:
            self.begin(partial(self._resize, queue.slots + by))

    def action_resize(self) -> None:
        queue = self.context.standing.queue
        if queue is not None:
            self.ask(
                Prompt(
                    "How many may run at once?",
                    text=str(queue.slots),
                    check=whole(1, _MOST_SLOTS),
                ),
                lambda text: self.begin(partial(self._resize, int(text))),
            )

    async def _resize(self, slots: int) -> None:
        before = (await self.context.box.queue()).slots
        words = await self._set_slots(slots)
        if before != slots:
            self.context.undoing.remember(words, partial(self._set_slots, before))
        await self._look_again(words)

    async def _set_slots(self, slots: int) -> str:
        await self.context.box.set_slots(slots)
        return f"{slots} run at once"

    async def _look_again(self, told: str) -> None:
        standing = self.context.standing
        standing.queue = await self.context.box.queue()
        self.tell(told)
        self.look()


def _due(row: Row, now: float) -> Cell:
    """When it may start at the earliest, while that is to come."""
    if row.not_before is None or row.not_before <= now:
        return Cell("")
    left = row.not_before - now
    at = wording.clock(row.not_before)[:5] if left < 86400 else wording.moment(row.not_before)[5:16]
    return Cell(f"{at} in {wording.age(left)}", Tone.ACCENT)
