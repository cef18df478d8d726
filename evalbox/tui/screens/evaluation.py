"""One evaluation: what it is, its phases, what it prints, what happened, what it uses."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from contextlib import aclosing
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.widget import Widget
from textual.widgets import ContentSwitcher, Input

from evalbox.domain.attempt import Attempt, Usage
from evalbox.domain.evaluation import Evaluation
from evalbox.domain.event import Event
from evalbox.domain.quantity import format_duration, format_size
from evalbox.domain.state import FINAL
from evalbox.tui import wording
from evalbox.tui.context import Context
from evalbox.tui.model.log import Log
from evalbox.tui.model.row import Row
from evalbox.tui.model.timeline import Track, tracks
from evalbox.tui.screens import facts
from evalbox.tui.screens.choice import confirm
from evalbox.tui.screens.page import Page
from evalbox.tui.text import steady
from evalbox.tui.theme import Tone
from evalbox.tui.widgets.logview import LogView
from evalbox.tui.widgets.picture import Line, Picture, Span, ends

_PANES = ("log", "events", "attempts", "usage")
#: Bytes of an output that has ended which are read back from its end.
_TAIL = 2 << 20


class EvaluationScreen(Page):
    NAME = "Evaluations"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "back", "back", id="evaluation.back", tooltip="Back to the list"),
        Binding("l", "pane('log')", "log", id="evaluation.log", tooltip="What it printed"),
        Binding("e", "pane('events')", "events", id="evaluation.events", tooltip="What happened"),
        Binding("a", "pane('attempts')", "attempts", id="evaluation.attempts",
                tooltip="Its attempts, side by side"),
        Binding("u", "pane('usage')", "usage", id="evaluation.usage", tooltip="What it uses"),
        Binding("z", "zoom", "zoom", id="evaluation.zoom", tooltip="The pane alone, or all again"),
        Binding("slash", "search", "search", id="log.search", tooltip="Search the log"),
        Binding("n", "next(1)", "next", show=False, id="log.next", tooltip="The next place"),
        Binding("N", "next(-1)", "previous", show=False, id="log.previous",
                tooltip="The place before"),
        Binding("x", "cancel", "cancel", id="evaluation.cancel", tooltip="Cancel"),
        Binding("r", "retry", "retry", id="evaluation.retry", tooltip="Queue again"),
        Binding("y", "copy", "copy id", show=False, id="evaluation.copy", tooltip="Copy the id"),
    ]  # fmt: skip
    CHANGING: ClassVar[frozenset[str]] = frozenset({"cancel", "retry"})

    def __init__(self, context: Context, row: Row) -> None:
        super().__init__(context)
        self._evaluation_id = row.id
        self._item: Evaluation | None = None
        self._attempts: Sequence[Attempt] = ()
        self._events: list[Event] = []
        self._tracks: list[Track] = []
        self._samples: Sequence[tuple[float, Usage]] = ()
        self._explained = ""
        self._printed = Log()
        self._told_of_search = ""
        self._wanted = self._refreshing = False
        self.log_view = LogView(self._printed, context.glyphs, id="log")
        self.field = Input(placeholder="search the log", id="filter")
        self.field.display = False
        self.above = [
            Picture(self._summary, id="summary"),
            Picture(self._timeline, id="timeline"),
            Picture(self._tabs, id="tabs"),
        ]
        self.pictures = {
            "events": Picture(self._draw_events),
            "attempts": Picture(self._draw_attempts),
            "usage": Picture(self._draw_usage),
        }
        self.panes: dict[str, Widget] = {"log": self.log_view}
        for name, picture in self.pictures.items():
            self.panes[name] = VerticalScroll(picture, id=name)
        self.switcher = ContentSwitcher(*self.panes.values(), initial="log", id="panes")

    def body(self) -> Iterable[Widget]:
        yield from self.above
        yield self.switcher
        yield self.field

    def on_mount(self) -> None:
        self.log_view.focus()
        self.begin(self._follow_events, group="events")
        self._follow_log()

    # --- what is known of it ---

    async def _follow_events(self) -> None:
        box = self.context.box
        await self._refresh()
        async with aclosing(box.events(evaluation_id=self._evaluation_id, follow=True)) as events:  # type: ignore[type-var]
            async for event in events:
                self._events.append(event)
                self._tracks = tracks(self._events)
                if self._item is None or event.at >= self._item.updated_at:
                    self._refresh_soon()

    def _refresh_soon(self) -> None:
        """Once more where it is under way: far from the box it may take longer than a look."""
        self._wanted = True
        if not self._refreshing:
            self._refreshing = True
            self.begin(self._refresh_as_wanted)

    async def _refresh_as_wanted(self) -> None:
        try:
            while self._wanted:
                self._wanted = False
                await self._refresh()
        finally:
            self._refreshing = False

    async def _refresh(self) -> None:
        box, one = self.context.box, self._evaluation_id
        self._item, self._attempts, self._explained = await asyncio.gather(
            box.get(one), box.attempts(one), box.explain(one)
        )
        if self._attempts:
            self._samples = await box.samples(self._evaluation_id, self._attempts[-1].number)
        self._draw()

    def _follow_log(self) -> None:
        self.begin(self._read_log, group="log")

    async def _read_log(self) -> None:
        box, one = self.context.box, self._evaluation_id
        item, attempts = await asyncio.gather(box.get(one), box.attempts(one))
        # What has ended is read from near its end; what runs, from its beginning.
        over = item.state in FINAL and attempts
        offset = max(0, attempts[-1].output_bytes - _TAIL) if over else 0
        pieces = box.output(self._evaluation_id, offset=offset, follow=True)
        before = -1
        async with aclosing(pieces) as output:  # type: ignore[type-var]
            async for piece in output:
                if piece.offset <= before:
                    self._printed = Log()
                    self.log_view.show(self._printed)
                before = piece.offset
                self._printed.feed(piece)
                await asyncio.sleep(0)

    # --- drawing ---

    def redraw(self) -> None:
        super().redraw()
        item = self._item
        if item is not None and item.state not in FINAL:
            self._refresh_soon()
        self._draw()

    def _draw(self) -> None:
        self.log_view.look()
        for picture in self.above:
            picture.look()
        if (shown := self.pictures.get(self.pane)) is not None:
            shown.look()

    @property
    def pane(self) -> str:
        return self.switcher.current or "log"

    def _summary(self, width: int) -> list[Line]:
        if self._item is None:
            return [[(" looking", Tone.MUTED)]]
        return facts.summary(
            self._item, self._attempts, self._samples, self._explained, self.context.glyphs,
            self.context.clock.now(), width,
        )  # fmt: skip

    def _timeline(self, width: int) -> list[Line]:
        lines = facts.timeline(self._tracks, self.context.glyphs, self.context.clock.now(), width)
        return [[], *lines] if lines else []

    def _tabs(self, width: int) -> list[Line]:
        left: list[Span] = [(" ", Tone.TEXT)]
        for name in _PANES:
            here = name == self.pane
            left += [
                (f" {name[0]}", Tone.ACCENT),
                (f" {name} ", Tone.STRONG if here else Tone.MUTED),
            ]
        right = self._about_log() if self.pane == "log" else []
        glyph = self.context.glyphs.line
        return [[(glyph * width, Tone.LINE)], list(ends(left, right, width))]

    def _about_log(self) -> Line:
        view = self.log_view
        words = [f"{self._printed.total:,} lines"]
        if self._printed.first > 1:
            words.append(f"from {self._printed.first:,} on")
        words += [name for name, on in (("following", view.following), ("wrapped", view.wrapping))
                  if on]  # fmt: skip
        if self._told_of_search:
            words.append(self._told_of_search)
        return [(f"{'  '.join(words)} ", Tone.MUTED)]

    def _draw_events(self, width: int) -> list[Line]:
        lines: list[Line] = []
        for event in self._events:
            data = "  ".join(f"{key}={value}" for key, value in event.data.items())
            lines.append(
                [
                    (f" {wording.moment(event.at)}", Tone.MUTED),
                    (f"  {steady(event.kind):<30}", Tone.STRONG),
                    (f"try {event.attempt}  " if event.attempt else "", Tone.MUTED),
                    (steady(data), Tone.TEXT),
                ]
            )
        return lines or [[(" nothing yet", Tone.MUTED)]]

    def _draw_attempts(self, width: int) -> list[Line]:
        lines: list[Line] = []
        for attempt in self._attempts:
            lines += _attempt(attempt)
        return lines or [[(" none yet", Tone.MUTED)]]

    def _draw_usage(self, width: int) -> list[Line]:
        if self._item is None:
            return []
        return facts.usage(self._samples, self._item, self.context.glyphs, width)

    # --- doing ---

    def action_back(self) -> None:
        if self.field.has_focus:
            self.field.display = False
            self._focus_pane()
        elif self.log_view.wanted:
            self._search("")
        else:
            self.dismiss()

    def action_pane(self, name: str) -> None:
        self.switcher.current = name
        self._focus_pane()
        self._draw()

    def _focus_pane(self) -> None:
        self.panes[self.pane].focus()

    def action_zoom(self) -> None:
        self.toggle_class("zoomed")

    def action_search(self) -> None:
        self.action_pane("log")
        self.field.display = True
        self.field.focus()

    def on_input_changed(self, event: Input.Changed) -> None:
        self._search(event.value)

    def on_input_submitted(self) -> None:
        self.field.display = False
        self._focus_pane()

    def _search(self, wanted: str) -> None:
        number = self.log_view.find(wanted)
        self._told_of_search = f"{wording.count(number, 'line')} found" if wanted else ""
        self._draw()

    def action_next(self, by: int) -> None:
        self.log_view.find_next(by)

    def action_cancel(self) -> None:
        item = self._item
        if item is None or item.state in FINAL:
            self.tell("nothing to cancel: it has ended")
            return

        def answered(sure: bool) -> None:
            if sure:
                self.begin(self._do_cancel)

        self.ask(confirm(f"Cancel {item.spec.name}?", yes="cancel"), answered)

    async def _do_cancel(self) -> None:
        await self.context.box.cancel([self._evaluation_id])
        self.tell("asked to cancel")

    def action_retry(self) -> None:
        if self._item is not None and self._item.state in FINAL:
            self.begin(self._do_retry)
        else:
            self.tell("nothing to try again: it has not ended")

    async def _do_retry(self) -> None:
        await self.context.box.retry([self._evaluation_id])
        self.tell("queued again")
        self._follow_log()

    def action_copy(self) -> None:
        self.app.copy_to_clipboard(self._evaluation_id)
        self.tell("copied")


def _attempt(attempt: Attempt) -> list[Line]:
    verdict, usage = attempt.verdict, attempt.usage
    head: list[Span] = [(f" try {attempt.number}  ", Tone.STRONG)]
    if verdict is None:
        head.append(("under way", Tone.BUSY))
    else:
        head.append((str(verdict.outcome), wording.outcome_tone(verdict.outcome)))
        if verdict.exit_code is not None:
            head.append((f"  exit {verdict.exit_code}", Tone.MUTED))
        if verdict.signal is not None:
            head.append((f"  signal {verdict.signal}", Tone.MUTED))
        if verdict.oom_killed:
            head.append(("  killed for memory", Tone.BAD))
        head.append((f"  {steady(verdict.reason)}", Tone.MUTED))
    start = attempt.started_at or attempt.claimed_at
    took = ""
    if attempt.finished_at is not None:
        took = f", took {format_duration(max(0.0, attempt.finished_at - start))}"
    warm = {True: "warm", False: "cold", None: "not started"}[attempt.warm]
    sandbox = f"{steady(attempt.sandbox_id or '-')[:12]}  {attempt.engine}, {warm}"
    used = (
        f"{usage.cpu_seconds:.2f} s CPU, {format_size(usage.memory_peak)} memory at the peak, "
        f"{format_size(usage.disk)} disk"
    )
    cut = " (cut)" if attempt.truncated else ""
    return [
        head,
        _fact("started", f"{wording.moment(start)}{took}"),
        _fact("used", used),
        _fact("output", f"{format_size(attempt.output_bytes)}{cut}"),
        _fact("sandbox", sandbox),
        _fact("image", steady(attempt.image_digest or "-")),
        [],
    ]


def _fact(label: str, text: str) -> Line:
    return [(f"   {label:<10}", Tone.MUTED), (text, Tone.TEXT)]
