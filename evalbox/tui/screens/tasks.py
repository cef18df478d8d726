"""What can be run: the tasks that are found, how they went so far, and what they say."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import ClassVar

from textual.binding import Binding, BindingType

from evalbox.agents.simple import HUMAN
from evalbox.domain.evaluation import EvaluationSpec
from evalbox.domain.ids import short
from evalbox.domain.limits import Limits
from evalbox.domain.quantity import format_size
from evalbox.requests.request import Defaults, Request
from evalbox.service import human
from evalbox.tasks.catalogue import Catalogue, Listed, catalogue, places
from evalbox.tasks.standard.format import KIND
from evalbox.tui import wording
from evalbox.tui.context import Context
from evalbox.tui.model.derived import Made
from evalbox.tui.model.few import Few
from evalbox.tui.model.tally import Tally, tallies
from evalbox.tui.preview import Preview, preview
from evalbox.tui.screens.choice import confirm
from evalbox.tui.screens.table_page import TablePage
from evalbox.tui.text import steady
from evalbox.tui.theme import Tone
from evalbox.tui.widgets.columns import Cell, Column
from evalbox.tui.widgets.picture import Line
from evalbox.tui.wording import count

_NAMED = 8
#: Previews that are kept; lines that one is moved by.
_KEPT, _STEP = 64, 8
#: The box has its own engine and image.
_DEFAULTS = Defaults()
_NEVER = Tally("")


class TasksScreen(TablePage[Listed]):
    NAME = "Tasks"
    EMPTY = "No tasks are found. Put scripts into ./tasks, or set EVALBOX_TASK_DIRS."
    HINT = "word  !word  language:python  name:..."
    NOUNS = ("task", "tasks")
    DETAILED = True
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("n", "edit", "new evaluation", id="tasks.new",
                tooltip="A new evaluation of the task, in the form"),
        Binding("r", "run", "run", id="tasks.run", tooltip="Run it with the defaults"),
        Binding("W", "work", "work on it", show=False, id="tasks.work",
                tooltip="Attempt a task of the family yourself"),
        Binding("J", "scroll_preview(1)", "preview down", show=False, id="tasks.preview_down",
                tooltip="Move on in the preview"),
        Binding("K", "scroll_preview(-1)", "preview up", show=False, id="tasks.preview_up",
                tooltip="Move back in the preview"),
        Binding("u", "look_again", "look again", show=False, id="tasks.look",
                tooltip="Look for tasks again"),
    ]  # fmt: skip
    CHANGING: ClassVar[frozenset[str]] = frozenset({"edit", "run", "work"})

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.found: Few[Listed] = Few()
        self.view = self.found
        self.runs: Made[Mapping[str, Tally]] = Made(
            context.book, lambda rows: tallies(rows, lambda row: row.name), {}
        )
        self._problems: Sequence[str] = ()
        self._looked = False
        self._previews: dict[Path, Preview] = {}
        self._from = 0

    def make_view(self) -> Few[Listed]:
        return Few()

    def identify(self, row: Listed) -> str:
        return str(row.path)

    def make_columns(self) -> Sequence[Column[Listed]]:
        now = self.context.clock.now
        return [
            Column("name", "TASK", 18, lambda row: Cell(row.name, Tone.STRONG), flex=True,
                   sort=lambda row: row.name),
            Column("language", "LANGUAGE", 10, lambda row: Cell(row.language or row.kind), rank=3,
                   sort=lambda row: row.language),
            Column("runs", "RUNS", 5, self._count, right=True,
                   sort=lambda row: self.tally(row).count, falling=True),
            Column("passed", "PASSED", 6, self._passed, right=True, rank=1,
                   sort=lambda row: _rate(self.tally(row)), falling=True),
            Column("last", "LAST", 4, lambda row: self._last(row, now()), right=True, rank=2,
                   sort=lambda row: self.tally(row).last, falling=True),
            Column("summary", "WHAT IT DOES", 20, lambda row: Cell(row.summary, Tone.MUTED),
                   flex=True, rank=4),
            Column("root", "FROM", 12, lambda row: Cell(row.root.name, Tone.FAINT), rank=5,
                   sort=lambda row: str(row.root)),
        ]  # fmt: skip

    def fields(self) -> Mapping[str, Callable[[Listed], str]]:
        return {
            "name": lambda row: row.name,
            "language": lambda row: row.language,
            "kind": lambda row: row.kind,
            "summary": lambda row: row.summary,
            "path": lambda row: str(row.path),
        }

    def tally(self, row: Listed) -> Tally:
        """Of the evaluations that are called as they are when it is run."""
        return self.runs.value.get(row.path.name, _NEVER)

    def _count(self, row: Listed) -> Cell:
        tally = self.tally(row)
        tone = Tone.BUSY if tally.active else Tone.TEXT
        return Cell(f"{tally.count:,}" if tally.count else "", tone)

    def _passed(self, row: Listed) -> Cell:
        tally = self.tally(row)
        if not tally.passed + tally.failed:
            return Cell("")
        rate = _rate(tally)
        tone = Tone.GOOD if rate == 1 else Tone.BAD if rate == 0 else Tone.WARN
        return Cell(f"{rate:.0%}", tone)

    def _last(self, row: Listed, now: float) -> Cell:
        last = self.tally(row).last
        return Cell(wording.age(now - last) if last else "", Tone.MUTED)

    # --- what is shown ---

    def on_screen_resume(self) -> None:
        self.action_look_again()

    def redraw(self) -> None:
        if self.runs.due(time.monotonic()):
            self.begin(self._count_runs)
        super().redraw()

    async def _count_runs(self) -> None:
        await self.runs.renew()
        self.show_rows()

    def action_look_again(self) -> None:
        self.begin(self._look, group="look")

    async def _look(self) -> None:
        found = await asyncio.to_thread(_found, self.context.options.task_dirs)
        self._looked, self._problems = True, found.problems
        self._previews.clear()
        if found.tasks != tuple(self.found.every):
            self.found.put(found.tasks)
        self._preview_current()
        self.look()

    def aside(self) -> Line:
        if not self._looked:
            return [("looking ", Tone.MUTED)]
        if self._problems:
            more = f", and {len(self._problems) - 1} more" if len(self._problems) > 1 else ""
            return [(f"{steady(self._problems[0])}{more} ", Tone.WARN)]
        return []

    # --- the preview ---

    def moved(self, row: Listed | None) -> None:
        self._from = 0
        self._preview_current()

    def _preview_current(self) -> None:
        row = self.table.current
        if row is not None and row.path not in self._previews:
            self.begin(partial(self._read, row), group="preview")

    async def _read(self, row: Listed) -> None:
        read = await asyncio.to_thread(preview, row.path, row.language)
        while len(self._previews) >= _KEPT:
            del self._previews[next(iter(self._previews))]
        self._previews[row.path] = read
        self.show_rows()

    def detail_of(self, row: Listed, width: int) -> Sequence[Line]:
        size = f"  {format_size(row.size)}" if row.size else ""
        lines: list[Line] = [
            [(f" {steady(row.name)}", Tone.STRONG), (size, Tone.MUTED),
             (f"  {steady(wording.place(row.path))}", Tone.FAINT)],
            [(f" {steady(row.summary)}", Tone.TEXT), (self._story(row), Tone.MUTED)],
        ]  # fmt: skip
        read = self._previews.get(row.path)
        if read is None:
            return lines
        source = read.lines[self._from :]
        return [*lines, [], *([(" ", Tone.TEXT), *line] for line in source)][: self.app.size.height]

    def _story(self, row: Listed) -> str:
        tally = self.tally(row)
        if not tally.count:
            return "  never run"
        return (
            f"  run {count(tally.count, 'time')}: {tally.passed:,} passed, {tally.failed:,} failed"
            f", {tally.active:,} under way"
        )

    def action_scroll_preview(self, by: int) -> None:
        row = self.table.current
        read = self._previews.get(row.path) if row is not None else None
        if read is not None:
            self._from = max(0, min(self._from + by * _STEP, len(read.lines) - 1))
            self.show_rows()

    # --- doing ---

    def copied(self, row: Listed) -> str:
        return str(row.path)

    def open(self, row: Listed) -> None:
        if not self.context.options.read_only:
            self.action_edit()

    def action_edit(self) -> None:
        from evalbox.tui.screens.new import NewEvaluation

        row = self.table.current
        self.app.push_screen(NewEvaluation(self.context, row.path if row is not None else None))

    def action_work(self) -> None:
        from evalbox.tui.screens.new import NewEvaluation

        row = self.table.current
        if row is None or row.kind != KIND:
            self.tell("only a task of a family can be attempted by hand")
            return
        values = {"agent": HUMAN, "timeout": human.WORKDAY}
        self.app.push_screen(NewEvaluation(self.context, row.path, values))

    def action_run(self) -> None:
        rows = self.picked()
        if not rows:
            return
        detail = [row.name for row in rows[:_NAMED]]
        if len(rows) > _NAMED:
            detail.append(f"and {len(rows) - _NAMED:,} more")

        def answered(sure: bool) -> None:
            if sure:
                self.begin(partial(self._run, rows))

        question = f"Run {count(len(rows), 'task')} with the defaults?"
        self.ask(
            confirm(
                question, detail=[*detail, f"no network, {wording.limits(Limits())}"], yes="run"
            ),
            answered,
        )

    async def _run(self, rows: Sequence[Listed]) -> None:
        """All or none."""
        box, now = self.context.box, self.context.clock.now()
        prepared = [
            await asyncio.to_thread(Request(path=str(row.path)).prepare, _DEFAULTS, now=now)
            for row in rows
        ]
        specs: list[EvaluationSpec] = []
        for one in prepared:
            specs += await one.specs(box)
        items = await box.submit(specs)
        self.table.clear_marks()
        told = short(items[0].id) if len(items) == 1 else count(len(items), "evaluation")
        self.tell(f"{told} queued")


def _found(directories: Sequence[Path]) -> Catalogue:
    return catalogue(places(directories, Path.cwd()))


def _rate(tally: Tally) -> float:
    ended = tally.passed + tally.failed
    return tally.passed / ended if ended else -1.0
