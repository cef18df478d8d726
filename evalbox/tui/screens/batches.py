"""Batches: how far they are, how well they do, and what is left of them."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import ClassVar

from textual.binding import Binding, BindingType

from evalbox.domain.batch import Batch
from evalbox.domain.evaluation import Evaluation
from evalbox.domain.records import EvaluationFilter
from evalbox.domain.state import FINAL, State
from evalbox.errors import EvalboxError
from evalbox.export.reading import GENTLE, matching
from evalbox.tui import exporting
from evalbox.tui.context import Context
from evalbox.tui.model.derived import Made
from evalbox.tui.model.few import Few
from evalbox.tui.model.members import do_to_all
from evalbox.tui.model.row import Row
from evalbox.tui.model.sheet import Sheet, sheet
from evalbox.tui.model.view import RATIO, Order
from evalbox.tui.screens.batch_columns import columns
from evalbox.tui.screens.batch_facts import detail
from evalbox.tui.screens.batch_start import BatchStart
from evalbox.tui.screens.choice import confirm
from evalbox.tui.screens.prompt import Prompt, whole
from evalbox.tui.screens.table_page import TablePage
from evalbox.tui.text import steady
from evalbox.tui.theme import Tone
from evalbox.tui.widgets.columns import Column
from evalbox.tui.widgets.picture import Line
from evalbox.tui.wording import count

#: Seconds between two looks at the batches while nothing, or something, happens; and after one
#: that failed.
_CALM, _LIVELY, _AGAIN = 10.0, 1.0, 5.0
_UNFINISHED = frozenset(State) - FINAL
_RETRIED = frozenset({State.FAILED, State.DEAD})
_MOST = 1024

#: What is under way comes first.
_NEWEST = Order("", lambda one: (one.ended < one.total, one.created_at), True)

Do = Callable[[Sequence[str]], Awaitable[object]]


class BatchesScreen(TablePage[Batch]):
    NAME = "Batches"
    EMPTY = "There are no batches. b runs a batch file."
    HINT = "word  !word  state:done"
    NOUNS = ("batch", "batches")
    DETAILED = True
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("b", "run_file", "run a file", show=False, id="batch.run",
                tooltip="Run a batch file, or go on with it"),
        Binding("x", "cancel", "cancel", id="batch.cancel",
                tooltip="Cancel what has not ended of it"),
        Binding("r", "retry", "retry", id="batch.retry", tooltip="Queue its failures again"),
        Binding("c", "concurrency", "at once", id="batch.concurrency",
                tooltip="Set how many of it run at once"),
        Binding("D", "remove", "remove", show=False, id="batch.remove",
                tooltip="Remove what has ended of it, with its files"),
        Binding("C", "compare", "compare", id="batch.compare",
                tooltip="Compare the two that are marked"),
        Binding("X", "export", "export", show=False, id="batch.export",
                tooltip="Write its evaluations into a file, as JSON, CSV or JUnit XML"),
    ]  # fmt: skip
    CHANGING: ClassVar[frozenset[str]] = frozenset(
        {"run_file", "cancel", "retry", "concurrency", "remove"}
    )

    def __init__(self, context: Context) -> None:
        self._batches = Few[Batch](order=_NEWEST)
        super().__init__(context)
        self._sheet = Made[Sheet](context.book, self._make_sheet, Sheet())
        self._start = BatchStart(self, changed=self.status.look, done=self._acted)
        self._name = ""
        self._asking = False
        self._making = False
        self._ask_at = 0.0
        self._version = -1
        self._trouble = ""

    def make_view(self) -> Few[Batch]:
        return self._batches

    def identify(self, row: Batch) -> str:
        return row.name

    def fields(self) -> Mapping[str, Callable[[Batch], str]]:
        return {
            "name": lambda one: one.name,
            "batch": lambda one: one.name,
            "state": lambda one: "done" if one.ended == one.total else "running",
        }

    def make_columns(self) -> Sequence[Column[Batch]]:
        context = self.context
        return columns(context.glyphs, context.clock.now, lambda: self.view.every)

    def default_order(self) -> Order:
        return _NEWEST

    # --- what is shown, and asked for only while it is ---

    def redraw(self) -> None:
        super().redraw()
        now = time.monotonic()
        changed = self._version != self.context.book.version
        if not self._asking and now >= self._ask_at - (_CALM - _LIVELY) * changed:
            self._asking = True
            self.begin(self._ask)
        if self.detail.display and not self._making and self._sheet.due(now):
            self._making = True
            self.begin(self._make)

    async def _ask(self) -> None:
        began, wait = time.monotonic(), _AGAIN
        self._version = self.context.book.version
        try:
            self._batches.put(await self.context.box.batches())
            wait, self._trouble = _CALM, ""
        except EvalboxError as error:
            self._trouble = error.message
        finally:
            now = time.monotonic()
            self._ask_at = now + max(wait, (now - began) * RATIO)
            self._asking = False
        self.renew()

    async def _make(self) -> None:
        try:
            await self._sheet.renew()
        finally:
            self._making = False
        self.detail.look()

    def _make_sheet(self, rows: Iterable[Row]) -> Sheet:
        name = self._name
        return sheet(row for row in rows if row.batch == name)

    def aside(self) -> Line:
        if self._start.doing:
            return [(f"{steady(self._start.doing)} ", Tone.BUSY)]
        return [(f"{steady(self._trouble)} ", Tone.WARN)] if self._trouble else []

    def moved(self, row: Batch | None) -> None:
        self._name = "" if row is None else row.name
        self._sheet.value = Sheet()
        self._sheet.forget()
        self.look()

    def detail_of(self, row: Batch, width: int) -> Sequence[Line]:
        context = self.context
        return detail(row, self._sheet.value, context.glyphs, context.clock.now(), width)

    def open(self, row: Batch) -> None:
        from evalbox.tui.screens.within import Within

        name = row.name
        self.app.push_screen(
            Within(
                self.context,
                page=self.NAME,
                title=f"batch {name}",
                belongs=lambda one: one.batch == name,
            )
        )

    # --- doing ---

    def action_run_file(self) -> None:
        self._start.ask()

    def action_cancel(self) -> None:
        left = sum(one.total - one.ended for one in self.picked())
        self._act(_UNFINISHED, left, "nothing is left to cancel",
                  "Cancel what has not ended", "cancel", self.context.box.cancel,
                  "asked to cancel")  # fmt: skip

    def action_retry(self) -> None:
        bad = sum(one.states.get(state, 0) for one in self.picked() for state in _RETRIED)
        self._act(_RETRIED, bad, "nothing has failed", "Queue again what failed", "queue again",
                  self.context.box.retry, "queued again")  # fmt: skip

    def action_remove(self) -> None:
        ended = sum(one.ended for one in self.picked())
        self._act(FINAL, ended, "nothing has ended", "Remove what has ended", "remove",
                  self.context.box.remove, "removed")  # fmt: skip

    def _act(
        self,
        states: frozenset[State],
        about: int,
        nothing: str,
        question: str,
        yes: str,
        do: Do,
        done: str,
    ) -> None:
        """Asks first, with how many they are now; those of when it is done count."""
        names = [one.name for one in self.picked()]
        if not about:
            self.tell(nothing)
            return

        def answered(sure: bool) -> None:
            if sure:
                self.begin(partial(self._do, names, states, do, done))

        asked = f"{question} of {_named(names)}: {count(about, 'evaluation')}?"
        self.ask(confirm(asked, detail=names if len(names) > 1 else (), yes=yes), answered)

    async def _do(self, names: Sequence[str], states: frozenset[State], do: Do, done: str) -> None:
        number = 0
        for name in names:
            query = EvaluationFilter(batch=name, states=states)
            number += await do_to_all(self.context.box, query, do)
        self.tell(f"{count(number, 'evaluation')} {done}")
        self._acted()

    def _acted(self) -> None:
        self.table.clear_marks()
        self._ask_at = 0.0
        self.look()

    def action_concurrency(self) -> None:
        batches = self.picked()
        if not batches:
            return
        now = batches[0].concurrency
        self.ask(
            Prompt(
                f"How many of {_named([one.name for one in batches])} may run at once?",
                text="none" if now is None else str(now),
                detail=[f"from 1 to {_MOST:,}, or none for no limit of its own"],
                check=_check_limit,
            ),
            lambda text: self.begin(partial(self._limit, batches, text)),
        )

    async def _limit(self, batches: Sequence[Batch], text: str) -> None:
        most = None if text == "none" else int(text)
        for one in batches:
            await self.context.box.set_batch_concurrency(one.name, most)
        names = _named([one.name for one in batches])
        self.tell(f"{names}: {'no limit' if most is None else f'{most} at once'}")
        self._acted()

    def action_compare(self) -> None:
        batches = self.picked()
        if len(batches) != 2:
            self.tell("mark the two that are to be compared")
            return
        from evalbox.tui.screens.compare import BatchesCompared

        older, newer = sorted(batches, key=lambda one: one.created_at)
        self.app.push_screen(BatchesCompared(self.context, self.NAME, older.name, newer.name))

    def action_export(self) -> None:
        names = [one.name for one in self.picked()]
        if not names:
            return
        total = sum(one.total for one in self.picked())
        what = f"{count(total, 'evaluation')} of {_named(names)}"
        exporting.offer(self, partial(self._members, names), what, names[0])

    async def _members(self, names: Sequence[str]) -> AsyncIterator[Evaluation]:
        for name in names:
            query = EvaluationFilter(batch=name)
            async for item in matching(self.context.box, query, page=GENTLE):
                yield item


def _named(names: Sequence[str]) -> str:
    return f"batch {names[0]}" if len(names) == 1 else f"{len(names):,} batches"


def _check_limit(text: str) -> str:
    problem = "" if text == "none" else whole(1, _MOST)(text)
    return f"{problem}, or none" if problem else ""
