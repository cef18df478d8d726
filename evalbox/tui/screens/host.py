"""The machine: what it has, what is used of it, and whether more is let start."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from textual.containers import VerticalScroll
from textual.widget import Widget

from evalbox.domain.host import HostReport, HostSample
from evalbox.domain.quantity import format_duration, format_size
from evalbox.tui.context import Context
from evalbox.tui.glyphs import Glyphs, bar
from evalbox.tui.model.standing import Standing
from evalbox.tui.screens.page import Page
from evalbox.tui.text import steady
from evalbox.tui.theme import Tone
from evalbox.tui.widgets.charts import beside, chart
from evalbox.tui.widgets.picture import Line, Picture, Span
from evalbox.tui.wording import level

_LABEL = 11
_ROWS = 5
_TWO_COLUMNS = 100
_CORE = 22


class HostScreen(Page):
    NAME = "Host"

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.picture = Picture(self._draw)
        self.room = VerticalScroll(self.picture, id="host")

    def body(self) -> Iterable[Widget]:
        yield self.room

    def on_mount(self) -> None:
        self.room.focus()

    def redraw(self) -> None:
        super().redraw()
        self.picture.look()

    def _draw(self, width: int) -> Sequence[Line]:
        context = self.context
        return machine(context.standing, context.glyphs, width, where=context.where)


def machine(standing: Standing, glyphs: Glyphs, width: int, *, where: str) -> list[Line]:
    """All that is known of the machine. ``where`` is the address or directory of its box."""
    host = standing.host
    if host is None:
        return [[], [(" looking at the machine", Tone.MUTED)]]
    lines: list[Line] = [[], *_box(standing, host, glyphs, width)]
    if where:
        lines.insert(2, _labelled("at", (steady(where), Tone.TEXT)))
    if host.latest is None:
        return [*lines, [], [(" nothing measures the machine: no process runs the queue",
                              Tone.MUTED)]]  # fmt: skip
    lines += [[], *_used(host.latest, glyphs, width)]
    lines += [[], *_cores(host.latest, glyphs, width)]
    return [*lines, [], *_history(list(standing.history), glyphs, width)]


def _labelled(label: str, *spans: Span) -> Line:
    return [(f" {label:<{_LABEL}}", Tone.MUTED), *spans]


def _box(standing: Standing, host: HostReport, glyphs: Glyphs, width: int) -> list[Line]:
    filled, rest = bar(host.running / max(1, host.slots), min(32, width - 50), glyphs)
    open_now = standing.admission.startswith("open")
    return [
        _labelled("box", (steady(host.box), Tone.STRONG), (f"  evalbox {host.version}", Tone.MUTED),
                  (f"  engine {steady(host.engine)}", Tone.MUTED)),
        _labelled("slots", (filled, Tone.BUSY), (rest, Tone.FAINT),
                  (f" {host.running} of {host.slots} in use", Tone.TEXT),
                  (f", {host.warm} warm", Tone.MUTED)),
        _labelled("admission", (steady(standing.admission), Tone.GOOD if open_now else Tone.WARN)),
    ]  # fmt: skip


def _used(latest: HostSample, glyphs: Glyphs, width: int) -> list[Line]:
    size = min(32, width - 50)

    def gauge(label: str, percent: float, words: str) -> Line:
        filled, rest = bar(percent / 100, size, glyphs)
        tone = level(percent)
        return _labelled(
            label, (filled, Tone.GOOD if tone is Tone.TEXT else tone), (rest, Tone.FAINT),
            (f" {percent:3.0f} %", tone), (f"  {words}", Tone.MUTED),
        )  # fmt: skip

    load = ", ".join(f"{value:.2f}" for value in latest.load)
    memory = f"{format_size(latest.memory_used)} of {format_size(latest.memory_total)}"
    disk = 100.0 * latest.disk_used / latest.disk_total if latest.disk_total else 0.0
    lines = [
        gauge("processor", latest.cpu, f"load {load}"),
        gauge("memory", latest.memory_percent, memory),
        gauge("disk", disk, f"{format_size(latest.disk_free)} free"),
    ]
    if latest.swap_total:
        swap = 100.0 * latest.swap_used / latest.swap_total
        lines.append(gauge("swap", swap, f"{format_size(latest.swap_used)} used"))
    received, sent = format_size(latest.received_rate), format_size(latest.sent_rate)
    lines.append(
        _labelled("network", (f"{received}/s in, {sent}/s out", Tone.TEXT),
                  (f"   up {format_duration(latest.uptime)}", Tone.MUTED))
    )  # fmt: skip
    return lines


def _cores(latest: HostSample, glyphs: Glyphs, width: int) -> list[Line]:
    """Each core, in as many columns as fit."""
    columns = max(1, (width - 1) // _CORE)
    lines: list[Line] = [[(" cores", Tone.MUTED)]]
    for first in range(0, len(latest.cores), columns):
        line: list[Span] = [(" ", Tone.TEXT)]
        for number, percent in enumerate(latest.cores[first : first + columns], start=first):
            filled, rest = bar(percent / 100, _CORE - 12, glyphs)
            line += [
                (f"{number:>3} ", Tone.FAINT), (filled, Tone.BUSY), (rest, Tone.FAINT),
                (f"{percent:4.0f} %  ", level(percent)),
            ]  # fmt: skip
        lines.append(line)
    return lines


def _history(history: list[HostSample], glyphs: Glyphs, width: int) -> list[Line]:
    if len(history) < 2:
        return []
    columns = 2 if width >= _TWO_COLUMNS else 1
    size = width // columns
    words = f"the last {format_duration(history[-1].at - history[0].at)}"
    charts = [
        chart(label, words, values, 100.0, width=size, rows=_ROWS, tone=tone, glyphs=glyphs)
        for label, tone, values in (
            ("processor", Tone.BUSY, [sample.cpu for sample in history]),
            ("memory", Tone.SPECIAL, [sample.memory_percent for sample in history]),
        )
    ]
    return beside(charts, columns, size)
