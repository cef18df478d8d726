"""The machine: what it has, what is used of it and by whom, and whether more is let start."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.widget import Widget

from evalbox.domain.activity import Activity
from evalbox.tui import wording
from evalbox.tui.context import Context
from evalbox.tui.model.few import Few
from evalbox.tui.model.past import Past
from evalbox.tui.model.row import Row
from evalbox.tui.screens.listing import Listing
from evalbox.tui.screens.machine import history, overview
from evalbox.tui.theme import Tone
from evalbox.tui.widgets.columns import Cell, Column
from evalbox.tui.widgets.picture import Line, Picture
from evalbox.tui.wording import level, small_size

#: Lines of a terminal from which on there is room for everything at once.
_HIGH = 40
#: Whiles that are shown, by their seconds.
_PASTS = {300.0: "5 minutes", 3600.0: "hour"}

Figure = Callable[[Activity], float | None]


class HostScreen(Listing):
    NAME = "Host"
    EMPTY = "No sandbox runs."
    NOUNS = ("sandbox runs", "sandboxes run")
    ATTENDS = True
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("h", "history", "history", id="host.history",
                tooltip="Switch between what runs and how the machine was"),
        Binding("w", "past", "5 min / 1 h", id="host.past",
                tooltip="Switch between the last 5 minutes and the last hour"),
        Binding("C", "sort('cpu')", "by cpu", show=False, id="host.sort_cpu",
                tooltip="Sort by processor"),
        Binding("M", "sort('memory')", "by memory", show=False, id="host.sort_memory",
                tooltip="Sort by memory"),
        Binding("K", "sort('disk')", "by disk", show=False, id="sort.disk",
                tooltip="Sort by disk"),
        Binding("O", "sort('output')", "by output", show=False, id="sort.output",
                tooltip="Sort by output"),
    ]  # fmt: skip

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.runs: Few[Row] = Few()
        self.view = self.runs
        self.overview = Picture(self._overview, id="overview")
        self.history = Picture(self._history)
        self.room = VerticalScroll(self.history, id="past")
        self._pasts = [Past(seconds) for seconds in _PASTS]
        self._past = self._pasts[0]
        self._drawn = 0.0
        self._looks_back = False
        self._version = -1

    def body(self) -> Iterable[Widget]:
        yield self.overview
        yield self.room
        yield from super().body()

    def on_mount(self) -> None:
        self._arrange()

    def on_resize(self) -> None:
        self._arrange()

    # --- what is shown ---

    @property
    def _high(self) -> bool:
        return self.app.size.height >= _HIGH

    def _arrange(self) -> None:
        """All of it where there is room, else the machine as it was in place of the rest."""
        back = self._looks_back
        self._drawn = 0.0
        self.room.display = self._high or back
        self.room.styles.height = "auto" if self._high else "1fr"
        self.overview.display = self._high or not back
        for part in (self.status, self.table):
            part.display = self._high or not back
        self.field.display = bool(self.field.value) and self.table.display
        if self.table.display:
            self.table.focus()
        else:
            self.room.focus()

    def redraw(self) -> None:
        standing = self.context.standing
        if standing.version != self._version:
            self._version = standing.version
            for past in self._pasts:
                past.take(standing.history)
            get = self.context.book.get
            self.runs.put([row for one in standing.activity if (row := get(one)) is not None])
        super().redraw()
        self.overview.look()
        if self._drawn != (drawn := self._past.newest):
            self._drawn = drawn
            self.history.look()

    def _overview(self, width: int) -> Sequence[Line]:
        context = self.context
        return overview(
            context.standing, self._pasts[0], context.glyphs, width, where=context.where
        )

    def _history(self, width: int) -> Sequence[Line]:
        context, high = self.context, self.app.size.height
        host = context.standing.host
        told: Line = [
            (" the last ", Tone.MUTED), (_PASTS[self._past.seconds], Tone.STRONG),
            ("  now at the right", Tone.FAINT),
        ]  # fmt: skip
        height = min(20, high // 3) if self._high else high - 5
        latest = host.latest if host is not None else None
        return [told, *history(latest, self._past, context.glyphs, width, height)]

    def make_columns(self) -> Sequence[Column[Row]]:
        now = self.context.clock.now
        return [
            Column("task", "TASK", 14, lambda row: Cell(row.name, Tone.STRONG), flex=True,
                   sort=lambda row: row.name),
            Column("doing", "DOING", 14, lambda row: wording.activity(row, self._doing(row), now()),
                   flex=True, rank=1),
            self._column("cpu", "CPU", 12, lambda one: one.cpu, lambda one: one.limits.cpus,
                         lambda cores: f"{cores:.2f}".removesuffix(".00")),
            self._column("memory", "MEMORY", 14, lambda one: one.memory,
                         lambda one: one.limits.memory, small_size),
            self._column("disk", "DISK", 14, lambda one: one.disk, lambda one: one.limits.disk,
                         small_size, rank=3),
            self._column("pids", "PROCESSES", 10, lambda one: one.pids,
                         lambda one: one.limits.pids, lambda number: f"{number:.0f}", rank=5),
            self._column("output", "OUTPUT", 14, lambda one: one.output_bytes,
                         lambda one: one.limits.output, small_size, rank=4),
            Column("elapsed", "ELAPSED", 8, lambda row: wording.elapsed(row, now()), right=True,
                   rank=2, sort=lambda row: row.elapsed(now()) or 0.0, falling=True, live=True),
            Column("id", "ID", 8, lambda row: Cell(row.short_id, Tone.FAINT), rank=6),
        ]  # fmt: skip

    def _column(
        self,
        name: str,
        title: str,
        width: int,
        used: Figure,
        limit: Figure,
        words: Callable[[float], str],
        *,
        rank: int = 0,
    ) -> Column[Row]:
        """What is used, of what may be."""

        def cell(row: Row) -> Cell:
            one = self._doing(row)
            value = used(one) if one is not None else None
            if one is None or value is None:
                return Cell("")
            most = limit(one) or 0.0
            text = f"{words(value)} of {words(most)}"
            # All of its processors is what a task may well use.
            tone = Tone.TEXT if name == "cpu" else level(100.0 * value / max(1.0, most))
            return Cell(text, tone)

        def key(row: Row) -> float:
            one = self._doing(row)
            return (used(one) if one is not None else None) or 0.0

        return Column(name, title, width, cell, right=True, rank=rank, sort=key, falling=True,
                      live=True)  # fmt: skip

    def _doing(self, row: Row) -> Activity | None:
        return self.context.standing.activity.get(row.id)

    def aside(self) -> Line:
        doing = self.context.standing.activity.values()
        cores = sum(one.cpu or 0.0 for one in doing)
        memory = sum(one.memory or 0 for one in doing)
        return [(f"{cores:.1f} cores, {small_size(memory)} of memory ", Tone.MUTED)]

    # --- doing ---

    def action_history(self) -> None:
        self._looks_back = not self._looks_back
        self._arrange()
        self.look()

    def action_past(self) -> None:
        self._past = self._pasts[(self._pasts.index(self._past) + 1) % len(self._pasts)]
        if not self._high:
            self._looks_back = True
            self._arrange()
        self.history.look()
