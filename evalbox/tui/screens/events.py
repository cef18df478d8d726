"""What happened, and who did what: the box's events and its audit log, live."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from typing import ClassVar

from textual.binding import Binding, BindingType

from evalbox.domain.audit import AuditEntry
from evalbox.domain.event import Event
from evalbox.domain.ids import short
from evalbox.tui import happenings
from evalbox.tui.context import Context
from evalbox.tui.model.chronicle import Chronicle, Entry
from evalbox.tui.model.story import Story
from evalbox.tui.screens.choice import Answer, Choice
from evalbox.tui.screens.table_page import TablePage
from evalbox.tui.screens.whole import Whole
from evalbox.tui.text import steady
from evalbox.tui.theme import Tone
from evalbox.tui.widgets.columns import Cell, Column
from evalbox.tui.widgets.picture import Line
from evalbox.tui.wording import clock, moment

#: What is shown: events, entries of the audit log.
_KINDS = {"all": (True, True), "events": (True, False), "audit log": (False, True)}
#: Seconds at least between two times that what is shown is put together.
_REST = 0.4


class EventsScreen(TablePage[Entry]):
    NAME = "Events"
    EMPTY = "Nothing has happened yet."
    HINT = "word  !word  kind:evaluation.failed  task:...  who:...  about:..."
    NOUNS = ("entry", "entries")
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("t", "kind", "events/audit", id="events.kind",
                tooltip="Switch between all, events and the audit log"),
        Binding("d", "describe", "whole", id="events.describe", tooltip="Show the entry whole"),
        Binding("v", "verify", "verify", id="events.verify",
                tooltip="Check that the audit log is as it was written"),
    ]  # fmt: skip

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.chronicle = Chronicle(context.box)
        self.told = Story()
        self.view = self.told
        self._kind = "all"
        self._shown: tuple[int, str] | None = None
        self._due = 0.0

    def on_mount(self) -> None:
        self.run_worker(self.chronicle.keep, group="chronicle")  # type: ignore[arg-type]

    def identify(self, row: Entry) -> str:
        return happenings.key_of(row)

    def make_view(self) -> Story:
        return Story()

    def make_columns(self) -> Sequence[Column[Entry]]:
        return [
            Column("at", "TIME", 8, lambda row: Cell(clock(row.at), Tone.MUTED)),
            Column("kind", "KIND", 20,
                   lambda row: Cell(happenings.kind_of(row), happenings.tone_of(row)),
                   sort=happenings.kind_of),
            Column("who", "WHO", 10, lambda row: Cell(happenings.actor_of(row)), rank=3,
                   needed=lambda: _KINDS[self._kind][1], sort=happenings.actor_of),
            Column("about", "ABOUT", 12, self._about, flex=True, rank=1,
                   sort=happenings.subject_of),
            Column("outcome", "OUTCOME", 13, lambda row: Cell(*happenings.outcome_of(row)), rank=4,
                   sort=lambda row: happenings.outcome_of(row)[0]),
            Column("what", "WHAT", 16, lambda row: Cell(happenings.words_of(row)), flex=True),
        ]  # fmt: skip

    def fields(self) -> Mapping[str, Callable[[Entry], str]]:
        return {
            "kind": happenings.kind_of,
            "task": self._task_name,
            "about": happenings.subject_of,
            "who": happenings.actor_of,
            "outcome": lambda row: happenings.outcome_of(row)[0],
            "what": happenings.words_of,
            "batch": lambda row: (row.batch or "") if isinstance(row, Event) else "",
        }

    def _task_name(self, entry: Entry) -> str:
        found = self.context.book.get(happenings.evaluation_of(entry) or "")
        return found.name if found is not None else ""

    def _about(self, entry: Entry) -> Cell:
        evaluation_id = happenings.evaluation_of(entry)
        if evaluation_id is None:
            return Cell(happenings.subject_of(entry), Tone.MUTED)
        return Cell(f"{short(evaluation_id)} {self._task_name(entry)}")

    # --- what is shown ---

    def redraw(self) -> None:
        now = time.monotonic()
        if now >= self._due and self._shown != self._wanted():
            self._put()
            self._due = now + _REST
        super().redraw()

    def _wanted(self) -> tuple[int, str]:
        return (self.chronicle.version, self._kind)

    def _put(self) -> None:
        events, audit = _KINDS[self._kind]
        self.told.put(self.chronicle.entries(events=events, audit=audit))
        self._shown = self._wanted()

    def show_rows(self) -> None:
        """Who looks at the last entry goes on to look at the last one."""
        table = self.table
        follows = self.view.order is None and table.cursor >= len(table.rows) - 1
        super().show_rows()
        if follows:
            table.action_bottom()

    def aside(self) -> Line:
        events, audit = _KINDS[self._kind]
        wanted = zip((events, audit), self.chronicle.trouble, strict=True)
        if troubles := [trouble for shown, trouble in wanted if shown and trouble]:
            return [(f"{steady(troubles[0])} ", Tone.BAD)]
        return [(f"{self._kind} ", Tone.MUTED)]

    # --- doing ---

    def action_kind(self) -> None:
        kinds = list(_KINDS)
        self._kind = kinds[(kinds.index(self._kind) + 1) % len(kinds)]
        self._put()
        self.renew()
        self.table.action_bottom()

    def copied(self, row: Entry) -> str:
        return "\n".join(f"{label}: {value}" for label, value in facts(row))

    def open(self, row: Entry) -> None:
        """The evaluation, where it is about one that is there."""
        found = self.context.book.get(happenings.evaluation_of(row) or "")
        if found is None:
            self._show_whole(row)
            return
        from evalbox.tui.screens.evaluation import EvaluationScreen

        self.app.push_screen(EvaluationScreen(self.context, found))

    def action_describe(self) -> None:
        if self.table.current is not None:
            self._show_whole(self.table.current)

    def _show_whole(self, row: Entry) -> None:
        self.app.push_screen(Whole(happenings.kind_of(row), facts(row), copy=self.copy))

    def action_verify(self) -> None:
        self.begin(self._verify, group="verify")

    async def _verify(self) -> None:
        report = await self.context.box.audit.verify()
        entries = "1 entry" if report.entries == 1 else f"{report.entries:,} entries"
        if report.sound:
            title = f"The audit log is sound: {entries}, each following the one before it."
            detail = [report.head, "Keep this hash elsewhere: with it, a log written anew shows."]
        else:
            title = f"The audit log is broken at entry {report.broken_at:,}."
            detail = [report.problem, f"before it: {entries}, sound"]
        self.ask(Choice(title, [Answer("o", "ok", None)], detail=detail), lambda _: None)


def facts(entry: Entry) -> list[tuple[str, str]]:
    """All that an entry says."""
    told: dict[str, object]
    if isinstance(entry, AuditEntry):
        told = {
            "number": entry.seq, "time": moment(entry.at), "who": entry.actor,
            "from": entry.source, "action": entry.action, "target": entry.target,
            "result": entry.result, "request": entry.request_id,
            "detail": _pretty(entry.detail), "previous": entry.previous, "hash": entry.hash,
        }  # fmt: skip
    else:
        told = {
            "number": entry.seq, "time": moment(entry.at), "kind": entry.kind,
            "evaluation": entry.evaluation_id, "try": entry.attempt, "batch": entry.batch,
            "says": happenings.words_of(entry), "data": _pretty(entry.data),
        }  # fmt: skip
    return [(label, str(value)) for label, value in told.items() if value not in (None, "")]


def _pretty(data: Mapping[str, object]) -> str:
    return json.dumps(dict(data), indent=2, default=str, ensure_ascii=False) if data else ""
