"""What can be done to evaluations, the same wherever they are shown."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import partial
from typing import ClassVar

from textual.binding import Binding, BindingType

from evalbox.domain.evaluation import Priority
from evalbox.domain.state import State
from evalbox.tui.deeds import CANCEL, REMOVE, RETRY, Deed, Do, in_turns, named
from evalbox.tui.model.row import Row
from evalbox.tui.screens.choice import Answer, Choice, confirm
from evalbox.tui.screens.page import Page
from evalbox.tui.undoing import Undo
from evalbox.tui.wording import count
from evalbox.wire import document

#: Evaluations that are copied whole.
_PASTED = 100

_PRIORITIES = {
    Priority.HIGH: "before all others",
    Priority.NORMAL: "by age",
    Priority.LOW: "when nothing else waits",
}


def _waits(row: Row) -> bool:
    return row.state is State.QUEUED


class Acting(Page):
    """``chosen`` says to which evaluations things are done, newest first."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("x", "cancel", "cancel", id="evaluation.cancel", tooltip="Cancel"),
        Binding("r", "retry", "retry", id="evaluation.retry",
                tooltip="Queue again, dead ones too"),
        Binding("P", "prioritize", "priority", show=False, id="evaluation.prioritize",
                tooltip="Put elsewhere in the queue"),
        Binding("left_square_bracket", "hasten(-1)", "sooner", show=False,
                id="evaluation.sooner", tooltip="Raise its priority"),
        Binding("right_square_bracket", "hasten(1)", "later", show=False,
                id="evaluation.later", tooltip="Lower its priority"),
        Binding("u,ctrl+z", "undo", "undo", show=False, id="evaluation.undo",
                tooltip="Take back what was done last: a priority, a requeue, a hold, slots"),
        Binding("D", "remove", "remove", id="evaluation.remove", tooltip="Remove, with its files"),
        Binding("delete", "remove", "remove", show=False, id="evaluation.remove_too",
                tooltip="Remove, with its files"),
        Binding("e", "shell", "shell", id="evaluation.shell",
                tooltip="Open a shell in its sandbox"),
        Binding("W", "work", "work", show=False, id="evaluation.work",
                tooltip="Work on it yourself, where a person attempts it"),
        Binding("y", "copy", "copy id", id="evaluation.copy", tooltip="Copy the id"),
        Binding("Y", "copy_json", "copy JSON", show=False, id="evaluation.copy_json",
                tooltip="Copy it as JSON"),
        Binding("X", "export", "export", show=False, id="evaluation.export",
                tooltip="Write into a file, as JSON, CSV or JUnit XML"),
        Binding("C", "compare", "compare", show=False, id="evaluation.compare",
                tooltip="Compare the two that are marked"),
    ]  # fmt: skip
    CHANGING: ClassVar[frozenset[str]] = frozenset(
        {"cancel", "retry", "remove", "prioritize", "hasten", "undo", "shell", "work"}
    )

    def chosen(self) -> Sequence[Row]:
        raise NotImplementedError

    def acted(self) -> None:
        """Something was done to them."""

    def exported(self) -> Sequence[Row]:
        """What an export takes."""
        return self.chosen()

    # --- what is done to many alike ---

    def action_cancel(self) -> None:
        self._act(CANCEL)

    def action_retry(self) -> None:
        self._act(RETRY)

    def action_remove(self) -> None:
        self._act(REMOVE)

    def _act(self, deed: Deed) -> None:
        rows = [row for row in self.chosen() if deed.fits(row)]
        if not rows:
            self.tell(deed.nothing)
            return
        work = partial(self._do, rows, deed.do(self.context.box), deed.done)
        if deed.lightly and len(rows) == 1:
            self.begin(work)
            return

        def answered(sure: bool) -> None:
            if sure:
                self.begin(work)

        question = deed.question.format(count(len(rows), "evaluation"))
        self.ask(confirm(question, detail=named(rows), yes=deed.yes), answered)

    async def _do(self, rows: Sequence[Row], do: Do, done: str) -> None:
        await in_turns(do, [row.id for row in rows])
        words = f"{count(len(rows), 'evaluation')} {done}"
        self.tell(words)
        if done == RETRY.done:
            self.requeued([row.id for row in rows])
        self.acted()

    # --- priorities ---

    def action_prioritize(self) -> None:
        if not (rows := self._waiting()):
            return
        answers = [
            Answer(priority.name[0].lower(), priority.name.lower(), priority, detail)
            for priority, detail in _PRIORITIES.items()
        ]

        def answered(priority: Priority) -> None:
            self._prioritize({priority: [row.id for row in rows]}, rows)

        question = f"Priority of {count(len(rows), 'evaluation')}:"
        self.ask(Choice(question, answers, detail=named(rows)), answered)

    def action_hasten(self, by: int) -> None:
        """``by`` -1 is sooner, 1 is later; what is at the end of the scale stays there."""
        wanted: dict[Priority, list[str]] = {}
        rows = self._waiting()
        for row in rows:
            priority = Priority(min(max(row.priority + by, Priority.HIGH), Priority.LOW))
            if priority != row.priority:
                wanted.setdefault(priority, []).append(row.id)
        if wanted:
            self._prioritize(wanted, rows)
        elif rows:
            self.tell("already first" if by < 0 else "already last")

    def _waiting(self) -> list[Row]:
        rows = [row for row in self.chosen() if _waits(row)]
        if not rows:
            self.tell("it does not wait, so its priority makes no difference")
        return rows

    def _prioritize(self, wanted: dict[Priority, list[str]], rows: Sequence[Row]) -> None:
        before: dict[Priority, list[str]] = {}
        for row in rows:
            before.setdefault(Priority(row.priority), []).append(row.id)
        self.begin(partial(self._reprioritize, wanted, before))

    async def _reprioritize(
        self, wanted: dict[Priority, list[str]], before: dict[Priority, list[str]]
    ) -> None:
        words = await self._put(wanted)
        self.context.undoing.remember(words, partial(self._put, before))
        self.tell(f"{words}  (u takes it back)")
        self.look()

    async def _put(self, wanted: dict[Priority, list[str]]) -> str:
        for priority, ids in wanted.items():
            await in_turns(partial(self.context.box.prioritize, priority=priority), ids)
        names = [f"{len(ids):,} {priority.name.lower()}" for priority, ids in wanted.items()]
        return f"priority: {', '.join(names)}"

    # --- taking back ---

    def requeued(self, ids: Sequence[str]) -> None:
        """These were queued again here."""
        words = f"{count(len(ids), 'evaluation')} queued again"
        self.context.undoing.remember(words, partial(self._take_out, ids))

    async def _take_out(self, ids: Sequence[str]) -> str:
        """Of the queue, those that have not begun."""
        book = self.context.book
        waiting = [one for one in ids if (row := book.get(one)) is not None and _waits(row)]
        await in_turns(self.context.box.cancel, waiting)
        begun = len(ids) - len(waiting)
        more = f", {begun:,} had begun already" if begun else ""
        return f"{count(len(waiting), 'evaluation')} cancelled{more}"

    def action_undo(self) -> None:
        undo = self.context.undoing.last()
        if undo is None:
            self.tell("nothing to take back")
        else:
            self.begin(partial(self._take_back, undo))

    async def _take_back(self, undo: Undo) -> None:
        self.tell(f"taken back ({undo.words}): {await undo.back()}")
        self.context.standing.queue = await self.context.box.queue()
        self.look()

    # --- looking into one, and taking it elsewhere ---

    def action_shell(self) -> None:
        rows = [row for row in self.chosen() if row.active]
        if len(rows) == 1:
            self.begin(partial(self._visit, rows[0]))
        else:
            self.tell("a shell is in one only" if rows else "a shell needs one that runs")

    async def _visit(self, row: Row) -> None:
        from evalbox.tui.visiting import visit

        self.tell(await visit(self.app, self.context.box, row.id, row.name))

    def action_work(self) -> None:
        rows = self.chosen()
        if len(rows) != 1:
            self.tell("work is on one only")
            return
        from evalbox.tui.screens.work import work

        self.begin(partial(work, self, rows[0]))

    def action_copy(self) -> None:
        if rows := self.chosen():
            self.copy("\n".join(row.id for row in rows))

    def action_copy_json(self) -> None:
        if rows := self.chosen():
            self.begin(partial(self._copy_json, [row.id for row in rows]))

    async def _copy_json(self, ids: Sequence[str]) -> None:
        """One document, or a list of the first; more is an export, not something to paste."""
        found = [document.evaluation(await self.context.box.get(one)) for one in ids[:_PASTED]]
        shown = found[0] if len(found) == 1 else found
        self.copy(json.dumps(shown, indent=2, ensure_ascii=False))

    def action_export(self) -> None:
        rows = self.exported()
        if not rows:
            self.tell("nothing to export")
            return
        from evalbox.export import reading
        from evalbox.tui import exporting

        ids = [row.id for row in rows]
        what = count(len(rows), "evaluation")
        name = rows[0].name if len(rows) == 1 else self.NAME.lower()
        exporting.offer(
            self, lambda: reading.named(self.context.box, ids, page=reading.GENTLE), what, name
        )

    def action_compare(self) -> None:
        rows = self.chosen()
        if len(rows) != 2:
            self.tell("mark the two that are to be compared")
            return
        from evalbox.tui.screens.compare import EvaluationsCompared

        newer, older = rows
        self.app.push_screen(EvaluationsCompared(self.context, self.NAME, older.id, newer.id))
