"""A new evaluation: what is run, in what, with which limits; checked as it is typed."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from enum import Enum, auto
from functools import partial
from pathlib import Path
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.widget import Widget

from evalbox.agents.simple import HUMAN
from evalbox.config.settings import Settings
from evalbox.domain.evaluation import Evaluation
from evalbox.errors import EvalboxError
from evalbox.requests.line import line
from evalbox.requests.prepared import Asked
from evalbox.requests.request import Defaults
from evalbox.service import human
from evalbox.tui.context import Context
from evalbox.tui.form.draft import Draft, opened
from evalbox.tui.form.opening import Opening
from evalbox.tui.form.sheet import Sheet
from evalbox.tui.model.row import row_of
from evalbox.tui.screens.choice import Answer, Choice
from evalbox.tui.screens.page import PAGES, Page
from evalbox.tui.screens.whole import Whole
from evalbox.tui.text import fit, steady
from evalbox.tui.theme import Tone
from evalbox.tui.widgets.picture import Line, Picture
from evalbox.tui.wording import count

#: Seconds that nothing is typed before all is looked at.
_PAUSE = 0.15
#: The box has its own engine and image.
_DEFAULTS = Defaults()
_NONE: Mapping[str, str] = {}


class _Leaving(Enum):
    KEEP = auto()
    DISCARD = auto()


class NewEvaluation(Page):
    """``path`` is opened, if there is one, with ``values``; else the form is as it was left."""

    NAME = "New evaluation"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+s", "submit", "submit", id="new.submit", tooltip="Queue it"),
        Binding("ctrl+o", "open", "open a task", id="new.open", tooltip="Open a task or a file"),
        Binding("f2", "line", "command line", id="new.line",
                tooltip="Show and copy the command line that asks for the same"),
        Binding("escape", "back", "back", id="new.back", tooltip="Leave the form"),
        Binding("q", "back", "back", show=False, id="new.back_too", tooltip="Leave the form"),
        Binding("down", "go(1)", "next field", show=False, id="new.next",
                tooltip="The next field"),
        Binding("up", "go(-1)", "field before", show=False, id="new.previous",
                tooltip="The field before"),
    ]  # fmt: skip
    CHANGING: ClassVar[frozenset[str]] = frozenset({"submit"})

    def __init__(
        self, context: Context, path: Path | None = None, values: Mapping[str, str] = _NONE
    ) -> None:
        super().__init__(context)
        self.id = "new"
        kept = context.desk.draft if path is None else None
        self._path = path
        self.sheet = Sheet(kept or Draft(values=dict(values)), context.glyphs)
        self.status = Picture(self._status, id="status")
        self._problems: Mapping[str, EvalboxError] | None = None
        self._sending = False
        #: What the making of an image prints.
        self._progress = ""

    @property
    def draft(self) -> Draft:
        return self.sheet.draft

    def body(self) -> Iterable[Widget]:
        yield self.sheet
        yield self.status

    def on_mount(self) -> None:
        if self._path is not None:
            self._open(self._path)
        self._check_soon()

    # --- checking ---

    def on_sheet_changed(self) -> None:
        self._check_soon()

    def _check_soon(self) -> None:
        self.begin(self._check, group="check")

    async def _check(self) -> None:
        await asyncio.sleep(_PAUSE)
        await self._look_through()

    async def _look_through(self) -> Mapping[str, EvalboxError]:
        draft = self._copy_of_draft()
        now = self.context.clock.now()
        found = await asyncio.to_thread(draft.problems, _DEFAULTS, now=now)
        self._problems = found
        self.sheet.tell(found)
        self.status.look()
        self.refresh_bindings()
        return found

    def _copy_of_draft(self) -> Draft:
        """For another thread, while this one is typed on in."""
        return replace(self.draft, values=dict(self.draft.values))

    def _status(self, width: int) -> Sequence[Line]:
        if self._sending:
            told = f" submitting  {self._progress}" if self._progress else " submitting"
            return [[(fit(told, width).rstrip(), Tone.BUSY)]]
        if self._problems is None:
            return [[(" looking", Tone.MUTED)]]
        if self._problems:
            names = ", ".join(self._label(option) for option in self._problems)
            return [[(" not ready: ", Tone.WARN), (names, Tone.TEXT)]]
        number = int(self.draft.values.get("repeat") or 1)
        return [[(f" ready: {count(number, 'evaluation')}", Tone.GOOD)]]

    def _label(self, option: str) -> str:
        entry = self.sheet.entries.get(option)
        return entry.field.label if entry is not None else "what is run"

    # --- doing ---

    def action_go(self, by: int) -> None:
        if by > 0:
            self.focus_next()
        else:
            self.focus_previous()

    def action_submit(self) -> None:
        if not self._sending:
            self._sending = True
            self.begin(self._submit)

    async def _submit(self) -> None:
        try:
            problems = await self._look_through()
            if problems:
                self.sheet.go_to(next(iter(problems)))
                self.tell("not submitted: there is something to be put right")
                return
            self.status.look()
            box = self.context.box
            prepared = await asyncio.to_thread(_prepared, self._copy_of_draft(),
                                               self.context.clock.now())  # fmt: skip
            specs = await prepared.specs(box, self._building)
            if by_hand := self.draft.values.get("agent") == HUMAN:
                human.alone(specs, path=self.draft.path)
            items = await box.submit(specs)
        finally:
            self._sending, self._progress = False, ""
            self.status.look()
        self.context.desk.draft = None
        self._show(items, by_hand=by_hand)

    def _building(self, text: str) -> None:
        for told in text.splitlines():
            if told.strip():
                self._progress = steady(told)
        self.status.look()

    def _show(self, items: Sequence[Evaluation], *, by_hand: bool) -> None:
        app = self.app
        if by_hand:
            from evalbox.tui.screens.work import WorkScreen

            app.switch_screen(WorkScreen(self.context, row_of(items[0])))
            return
        if len(items) == 1:
            from evalbox.tui.screens.evaluation import EvaluationScreen

            app.switch_screen(EvaluationScreen(self.context, row_of(items[0])))
            return
        self.tell(f"{count(len(items), 'evaluation')} queued")
        self.dismiss()
        app.switch_mode(PAGES[0])

    def on_code_editor_too_long(self) -> None:
        self.tell("too long to be typed on in: put it into a file, and open that with ctrl+o")

    def action_open(self) -> None:
        self.ask(Opening(self.context), self._open)

    def _open(self, path: Path) -> None:
        self.begin(partial(self._opened, path), group="open")

    async def _opened(self, path: Path) -> None:
        draft = await asyncio.to_thread(opened, path, self._copy_of_draft())
        self.sheet.show(draft)
        self.sheet.begin()
        self._check_soon()

    def action_line(self) -> None:
        self.begin(self._line)

    async def _line(self) -> None:
        text = line(self.draft.request(), flags=_flags(self.context.where))
        self.copy(text)
        self.app.push_screen(Whole("The same from a shell (copied)", [("", text)], copy=self.copy))

    def action_back(self) -> None:
        if not self.draft.changed:
            self.context.desk.draft = None
            self.dismiss()
            return
        answers = [
            Answer("k", "keep it", _Leaving.KEEP, "the form comes back with it"),
            Answer("d", "discard it", _Leaving.DISCARD),
        ]
        self.ask(Choice("This evaluation is not submitted.", answers), self._leave)

    def _leave(self, leaving: _Leaving) -> None:
        self.context.desk.draft = self.draft if leaving is _Leaving.KEEP else None
        self.dismiss()


def _prepared(draft: Draft, now: float) -> Asked:
    return draft.request().prepare(_DEFAULTS, now=now)


def _flags(where: str) -> tuple[str, ...]:
    """Those that lead to the same box, where it is not the one that is found without."""
    if "://" in where:
        return ("--url", where)
    return ("--data-dir", where) if where and where != str(Settings().data_dir) else ()
