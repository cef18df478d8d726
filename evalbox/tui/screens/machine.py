"""Pictures of the machine: what it has, what is used of it, and how that was."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from evalbox.domain.host import HostReport, HostSample
from evalbox.domain.quantity import format_duration, format_size
from evalbox.tui.glyphs import Glyphs, bar, sparkline
from evalbox.tui.model.past import columns
from evalbox.tui.model.standing import Standing
from evalbox.tui.text import cut, steady
from evalbox.tui.theme import Tone
from evalbox.tui.widgets.charts import beside, chart
from evalbox.tui.widgets.picture import Line, Span, measure
from evalbox.tui.wording import level

_LABEL = 11
#: Cells that a core takes with its bar, and lines of them beneath the gauges.
_CORE, _CORE_LINES = 20, 2
#: Widths from which on there is room for cores, and for more charts, beside each other.
_WIDE, _TWO, _THREE = 132, 60, 150
_SPARK, _SPARK_SECONDS = 20, 300.0


def overview(standing: Standing, glyphs: Glyphs, width: int, *, where: str) -> list[Line]:
    """How the machine stands now. ``where`` is the address or directory of its box."""
    host = standing.host
    if host is None:
        return [[(" looking at the machine", Tone.MUTED)]]
    box = _box(standing, host, glyphs, width, where)
    latest = host.latest
    if latest is None:
        nothing = " nothing measures the machine: no process runs the queue"
        return [*box, [(nothing, Tone.MUTED)]]
    past = list(standing.history)
    if width < _WIDE:
        return [*box, *_used(latest, past, glyphs, width),
                *_cores(latest, glyphs, width, _CORE_LINES)]  # fmt: skip
    half = width // 2
    left = _used(latest, past, glyphs, half)
    right = _cores(latest, glyphs, width - half, len(left))
    return [*box, *_joined(left, right, half)]


def _joined(left: Sequence[Line], right: Sequence[Line], width: int) -> list[Line]:
    lines: list[Line] = []
    for place, line in enumerate(left):
        other = right[place] if place < len(right) else ()
        lines.append([*line, (" " * max(0, width - measure(line)), Tone.TEXT), *other])
    return lines


def _labelled(label: str, *spans: Span) -> Line:
    return [(f" {label:<{_LABEL}}", Tone.MUTED), *spans]


def _box(
    standing: Standing, host: HostReport, glyphs: Glyphs, width: int, where: str
) -> list[Line]:
    filled, rest = bar(host.running / max(1, host.slots), _gauge(width), glyphs)
    warm = f", {host.warm} more warm" if host.warm else ", none warm"
    open_now = standing.admission.startswith("open")
    place = steady(where)
    named: list[Span] = [
        (steady(host.box), Tone.STRONG),
        (f"  evalbox {steady(host.version)}  engine {steady(host.engine)}", Tone.MUTED),
    ]
    room = width - _LABEL - 3 - measure(named)
    if place and room > 8:
        shown = place if len(place) <= room else cut(place, room, glyphs.ellipsis)
        named.append((f"  {shown}", Tone.FAINT))
    return [
        _labelled("box", *named),
        _labelled("slots", (filled, Tone.BUSY), (rest, Tone.FAINT),
                  (f" {host.running} of {host.slots} in use", Tone.TEXT), (warm, Tone.MUTED)),
        _labelled("admission", (steady(standing.admission), Tone.GOOD if open_now else Tone.WARN)),
    ]  # fmt: skip


def _gauge(width: int) -> int:
    return 12 if width < 100 else 20


def _used(latest: HostSample, past: Sequence[HostSample], glyphs: Glyphs, width: int) -> list[Line]:
    size = _gauge(width)

    def recent(value: Callable[[HostSample], float], top: float, line: Line) -> Line:
        room = width - measure(line) - _SPARK - 2
        if room < 0:
            return line
        points = [(sample.at, value(sample)) for sample in past]
        shown = columns(points, start=latest.at - _SPARK_SECONDS, end=latest.at, width=_SPARK)
        return [*line, (" " * (room + 1), Tone.TEXT),
                (sparkline(shown, _SPARK, top, glyphs), Tone.FAINT)]  # fmt: skip

    def gauge(label: str, value: Callable[[HostSample], float], words: str) -> Line:
        percent = value(latest)
        filled, rest = bar(percent / 100, size, glyphs)
        tone = level(percent)
        line = _labelled(
            label, (filled, Tone.GOOD if tone is Tone.TEXT else tone), (rest, Tone.FAINT),
            (f" {percent:3.0f} %", tone), (f"  {words}", Tone.MUTED),
        )  # fmt: skip
        return recent(value, 100.0, line)

    load = ", ".join(f"{value:.2f}" for value in latest.load)
    lines = [
        gauge("processor", lambda one: one.cpu, f"load {load}"),
        gauge("memory", lambda one: one.memory_percent,
              f"{format_size(latest.memory_used)} of {format_size(latest.memory_total)}"),
    ]  # fmt: skip
    if latest.swap_total:
        lines.append(gauge("swap", swap_percent, f"{format_size(latest.swap_used)} used"))
    lines.append(gauge("disk", disk_percent, f"{format_size(latest.disk_free)} free"))
    received, sent = format_size(latest.received_rate), format_size(latest.sent_rate)
    lines.append(
        _labelled("network", (f"{received}/s in, {sent}/s out", Tone.TEXT),
                  (f"  up {format_duration(latest.uptime)}", Tone.MUTED))
    )  # fmt: skip
    return lines


def swap_percent(sample: HostSample) -> float:
    return 100.0 * sample.swap_used / sample.swap_total if sample.swap_total else 0.0


def disk_percent(sample: HostSample) -> float:
    return 100.0 * sample.disk_used / sample.disk_total if sample.disk_total else 0.0


def _cores(latest: HostSample, glyphs: Glyphs, width: int, most: int) -> list[Line]:
    """Each core in at most ``most`` lines: with a bar where that fits, else as one column."""
    cores = latest.cores
    across = max(1, (width - 1 - _LABEL) // _CORE)
    if len(cores) > across * most:
        size = max(1, width - 2 - _LABEL)
        return [
            _labelled("" if first else "cores",
                      (sparkline(cores[first : first + size], len(cores[first : first + size]),
                                 100.0, glyphs), Tone.BUSY))
            for first in range(0, len(cores), size)
        ]  # fmt: skip
    lines: list[Line] = []
    for first in range(0, len(cores), across):
        line = list(_labelled("" if first else "cores"))
        for number, percent in enumerate(cores[first : first + across], start=first):
            filled, rest = bar(percent / 100, _CORE - 12, glyphs)
            line += [
                (f"{number:<3}", Tone.FAINT), (filled, Tone.BUSY), (rest, Tone.FAINT),
                (f"{percent:4.0f} %   ", level(percent)),
            ]  # fmt: skip
        lines.append(line)
    return lines


# --- how it was ---


@dataclass(frozen=True, slots=True)
class _Graph:
    """``top`` is the value of full height; 0 means the greatest that is shown."""

    label: str
    tone: Tone
    value: Callable[[HostSample], float]
    words: Callable[[float], str]
    top: float = 0.0


def history(
    standing: Standing, glyphs: Glyphs, width: int, height: int, *, seconds: float
) -> list[Line]:
    """How it was over the last ``seconds``, in about ``height`` lines."""
    past = list(standing.history)
    if not past:
        return [[], [(" nothing has measured the machine yet", Tone.MUTED)]]
    across = 3 if width >= _THREE else 2 if width >= _TWO else 1
    size = width // across
    end = past[-1].at
    past = [sample for sample in past if sample.at >= end - seconds - 15.0]
    graphs = _graphs(past[-1])
    rows = max(2, height // -(-len(graphs) // across) - 3)
    charts = [
        _drawn(graph, past, glyphs, width=size - 1, rows=rows, start=end - seconds, end=end)
        for graph in graphs
    ]
    return beside(charts, across, size)[:-1]


def _graphs(latest: HostSample) -> list[_Graph]:
    def percent(value: float) -> str:
        return f"{value:.0f} %"

    def rate(value: float) -> str:
        return f"{format_size(int(value))}/s"

    return [
        _Graph("processor", Tone.BUSY, lambda one: one.cpu, percent, 100.0),
        _Graph("memory", Tone.SPECIAL, lambda one: float(one.memory_used),
               lambda value: format_size(int(value)), float(latest.memory_total)),
        _Graph("load", Tone.ACCENT, lambda one: one.load[0], lambda value: f"{value:.2f}"),
        _Graph("disk", Tone.WARN, lambda one: float(one.disk_used),
               lambda value: format_size(int(value)), float(latest.disk_total)),
        _Graph("network in", Tone.GOOD, lambda one: one.received_rate, rate),
        _Graph("network out", Tone.GOOD, lambda one: one.sent_rate, rate),
    ]  # fmt: skip


def _drawn(
    graph: _Graph,
    past: Sequence[HostSample],
    glyphs: Glyphs,
    *,
    width: int,
    rows: int,
    start: float,
    end: float,
) -> list[Line]:
    points = [(sample.at, graph.value(sample)) for sample in past]
    shown = columns(points, start=start, end=end, width=max(4, width - 2))
    greatest = max(shown)
    top = graph.top or greatest or 1.0
    of = f" of {graph.words(top)}" if graph.top else ""
    words = f"{graph.words(points[-1][1])}{of}, at most {graph.words(greatest)}"
    return chart(
        graph.label, words, shown, top, width=width, rows=rows, tone=graph.tone, glyphs=glyphs
    )
