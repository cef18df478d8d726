"""One evaluation: its head, and the panes that look into it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from contextlib import aclosing
from functools import partial
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.widget import Widget

from evalbox.agents.simple import HUMAN
from evalbox.errors import EvalboxError, EvaluationNotFound
from evalbox.tui.acting import Acting
from evalbox.tui.context import Context
from evalbox.tui.model.row import Row, row_of
from evalbox.tui.model.subject import Subject
from evalbox.tui.screens.evaluation.attempts import Attempts
from evalbox.tui.screens.evaluation.events import Events
from evalbox.tui.screens.evaluation.files import Files
from evalbox.tui.screens.evaluation.log import LogPane
from evalbox.tui.screens.evaluation.pane import Pane
from evalbox.tui.screens.evaluation.sandbox import Sandbox
from evalbox.tui.screens.evaluation.score import ScorePane
from evalbox.tui.screens.evaluation.summary import Summary, head
from evalbox.tui.screens.evaluation.timeline import Timeline
from evalbox.tui.screens.evaluation.usage import UsagePane
from evalbox.tui.theme import Tone
from evalbox.tui.widgets.picture import Line, Picture, Span, measure

PANES: Sequence[type[Pane]] = (
    Summary, LogPane, Timeline, Events, UsagePane, Files, Sandbox, ScorePane, Attempts,
)  # fmt: skip
_NAMES = [pane.NAME for pane in PANES]
#: Cells from which on there is room for two panes.
_TWO = 140
#: Seconds after which a box that was lost is looked for again.
_AGAIN = 1.0


class EvaluationScreen(Acting):
    """Where there is room, the summary stands beside the pane that was gone to."""

    NAME = "Evaluations"
    ATTENDS = True
    DIGITS = False
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "back", "back", id="evaluation.back", tooltip="Back to the list"),
        *(
            Binding(str(number), f"pane('{name}')", name, show=False,
                    id=f"evaluation.{name}", tooltip=f"Look at its {name}")
            for number, name in enumerate(_NAMES, start=1)
        ),
        Binding("tab", "turn(1)", "next pane", id="evaluation.turn", tooltip="The next pane"),
        Binding("shift+tab", "turn(-1)", "pane before", show=False, id="evaluation.turn_back",
                tooltip="The pane before"),
        Binding("W", "work", "work on it", id="evaluation.work_here",
                tooltip="Work on it yourself, where a person attempts it"),
        Binding("d", "pane('summary')", "describe", show=False, id="evaluation.describe",
                tooltip="What it is and how it stands"),
        Binding("l", "pane('log')", "log", show=False, id="evaluation.log_too",
                tooltip="What it printed"),
        Binding("z", "zoom", "zoom", id="evaluation.zoom", tooltip="The pane alone, or all again"),
        Binding("full_stop", "attempt(1)", "next try", show=False, id="evaluation.attempt_after",
                tooltip="Look at the attempt after"),
        Binding("comma", "attempt(-1)", "try before", show=False,
                id="evaluation.attempt_before", tooltip="Look at the attempt before"),
    ]  # fmt: skip

    def __init__(self, context: Context, row: Row, *, pane: str = LogPane.NAME) -> None:
        super().__init__(context)
        self._row = row
        self.subject = Subject(context.box, row.id)
        self._wanted = self._refreshing = False
        self._asked = self._zoomed = False
        self._trouble = ""
        self._pane = pane
        self._made: dict[str, Pane] = {}
        self._head = Picture(self._draw_head, id="head")
        self._tabs = Picture(self._draw_tabs, id="tabs")
        self._room = Horizontal(id="panes")

    def body(self) -> Iterable[Widget]:
        yield self._head
        yield self._tabs
        yield self._room

    def on_mount(self) -> None:
        self.begin(partial(self._arrange, settle=True))
        self.begin(self._follow, group="events")

    # --- what is known of it ---

    async def _follow(self) -> None:
        """Begins again where the box was lost."""
        while True:
            self._renew_soon()
            try:
                async with aclosing(self.subject.follow()) as events:  # type: ignore[type-var]
                    async for event in events:
                        item = self.subject.item
                        if item is None or event.at >= item.updated_at:
                            self._renew_soon()
            except EvalboxError as error:
                self._fail(error)
            await asyncio.sleep(_AGAIN)

    def _renew_soon(self) -> None:
        """Once more where it is under way: far from the box it may take longer than a look."""
        self._wanted = True
        if not self._refreshing:
            self._refreshing = True
            self.begin(self._renew_as_wanted)

    async def _renew_as_wanted(self) -> None:
        try:
            while self._wanted:
                self._wanted = False
                first = self.subject.item is None
                await self.subject.renew()
                self._trouble = ""
                if first:
                    self.refresh_bindings()
                for pane in self.shown:
                    await pane.renew()
                if self._asked or not self._frozen:
                    self._asked = False
                    self._draw()
        except EvaluationNotFound:
            self._gone()
        except EvalboxError as error:
            self._fail(error)
        finally:
            self._refreshing = False

    def _fail(self, error: EvalboxError) -> None:
        """Tells of it once, though it is tried again and again."""
        if self._trouble != error.message:
            self._trouble = error.message
            self.tell_error(error)

    def _gone(self) -> None:
        """It was removed, here or elsewhere."""
        self.tell("it is not there any more")
        if self.is_current:
            self.dismiss()

    def redraw(self) -> None:
        super().redraw()
        if self.subject.item is not None and not self.subject.over:
            self._renew_soon()
        self._draw()

    def _draw(self) -> None:
        self._head.look()
        self._tabs.look()
        for pane in self.shown:
            pane.look()

    # --- panes ---

    @property
    def pane(self) -> Pane:
        """The one that was gone to."""
        return self._made[self._pane]

    @property
    def shown(self) -> list[Pane]:
        return [pane for pane in self._made.values() if pane.display and pane.is_mounted]

    def _names(self) -> list[str]:
        """Those that there is room for, in their order."""
        if self.size.width < _TWO or self._zoomed:
            return [self._pane]
        beside = Summary.NAME if self._pane != Summary.NAME else LogPane.NAME
        return sorted([self._pane, beside], key=_NAMES.index)

    async def _arrange(self, *, settle: bool = False) -> None:
        names = self._names()
        for name in names:
            if name not in self._made:
                self._made[name] = pane = PANES[_NAMES.index(name)](self.subject, self.context)
                pane.display = False
                await self._room.mount(pane)
        for name, pane in self._made.items():
            pane.display = name in names
        self._room.sort_children(key=lambda pane: _NAMES.index(str(pane.id)))
        self._head.display = self._tabs.display = not self._zoomed
        if settle:
            self._asked = True
            self.pane.settle()
        self._renew_soon()
        self.call_after_refresh(self._draw)

    async def on_resize(self) -> None:
        if self._made:
            await self._arrange()

    async def action_pane(self, name: str) -> None:
        self._pane = name
        await self._arrange(settle=True)

    async def action_turn(self, by: int) -> None:
        place = (_NAMES.index(self._pane) + by) % len(_NAMES)
        await self.action_pane(_NAMES[place])

    async def action_zoom(self) -> None:
        self._zoomed = not self._zoomed
        await self._arrange()

    def action_attempt(self, by: int) -> None:
        if self.subject.choose(by):
            self._asked = True
            self._renew_soon()
            self._draw()
        else:
            self.tell("there is no other attempt that way")

    def action_back(self) -> None:
        self.dismiss()

    # --- doing ---

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action == "work" and self.chosen()[0].agent != HUMAN:
            return False
        return super().check_action(action, parameters)

    def chosen(self) -> Sequence[Row]:
        item = self.subject.item
        return [self._row if item is None else row_of(item)]

    def acted(self) -> None:
        self._renew_soon()

    # --- drawing ---

    def _draw_head(self, width: int) -> Sequence[Line]:
        return head(self.subject, self._row, self.context, width)

    def _draw_tabs(self, width: int) -> list[Line]:
        """As much of the names as there is room for; that of the one gone to in any case."""
        for all_named in (True, False):
            line: list[Span] = []
            for number, name in enumerate(_NAMES, start=1):
                here = name == self._pane
                line.append((f" {number}", Tone.ACCENT if here else Tone.FAINT))
                if here or all_named:
                    line.append((f" {name}", Tone.STRONG if here else Tone.MUTED))
            if measure(line) <= width:
                break
        return [line]
