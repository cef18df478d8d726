"""Pictures of the machine: what it has, what is used of it, and how that was."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from evalbox.domain.host import HostReport, HostSample
from evalbox.domain.quantity import format_duration, format_size
from evalbox.tui.glyphs import Glyphs, bar, sparkline
from evalbox.tui.model.past import Figure, Past
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
_SPARK = 20


def overview(
    standing: Standing, past: Past, glyphs: Glyphs, width: int, *, where: str
) -> list[Line]:
    """How the machine stands now. ``where`` is the address or directory of its box."""
    host = standing.host
    if host is None:
        return [[(" looking at the machine", Tone.MUTED)]]
    box = _box(standing, host, glyphs, width, where)
    latest = host.latest
    if latest is None:
        nothing = " nothing measures the machine: no process runs the queue"
        return [*box, [(nothing, Tone.MUTED)]]
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


def _used(latest: HostSample, past: Past, glyphs: Glyphs, width: int) -> list[Line]:
    size = _gauge(width)

    def recent(figure: Figure, top: float, line: Line) -> Line:
        room = width - measure(line) - _SPARK - 2
        if room < 0:
            return line
        shown = sparkline(past.columns(figure, _SPARK), _SPARK, top, glyphs)
        return [*line, (" " * (room + 1), Tone.TEXT), (shown, Tone.FAINT)]

    def gauge(label: str, percent: float, words: str) -> Line:
        filled, rest = bar(percent / 100, size, glyphs)
        tone = level(percent)
        return _labelled(
            label, (filled, Tone.GOOD if tone is Tone.TEXT else tone), (rest, Tone.FAINT),
            (f" {percent:3.0f} %", tone), (f"  {words}", Tone.MUTED),
        )  # fmt: skip

    load = ", ".join(f"{value:.2f}" for value in latest.load)
    memory = f"{format_size(latest.memory_used)} of {format_size(latest.memory_total)}"
    lines = [
        recent(Figure.CPU, 100.0, gauge("processor", latest.cpu, f"load {load}")),
        recent(Figure.MEMORY, latest.memory_total,
               gauge("memory", latest.memory_percent, memory)),
    ]  # fmt: skip
    if latest.swap_total:
        swap = 100.0 * latest.swap_used / latest.swap_total
        lines.append(gauge("swap", swap, f"{format_size(latest.swap_used)} used"))
    disk = 100.0 * latest.disk_used / latest.disk_total if latest.disk_total else 0.0
    lines.append(recent(Figure.DISK, latest.disk_total,
                        gauge("disk", disk, f"{format_size(latest.disk_free)} free")))  # fmt: skip
    received, sent = format_size(latest.received_rate), format_size(latest.sent_rate)
    lines.append(
        _labelled("network", (f"{received}/s in, {sent}/s out", Tone.TEXT),
                  (f"  up {format_duration(latest.uptime)}", Tone.MUTED))
    )  # fmt: skip
    return lines


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
    """``now`` is the newest value, ``top`` that of full height: 0 means the greatest shown.

    ``of`` is the whole of it in words, where that is to be told.
    """

    label: str
    tone: Tone
    figure: Figure
    words: Callable[[float], str]
    now: float
    top: float = 0.0
    of: str = ""


def history(
    latest: HostSample | None, past: Past, glyphs: Glyphs, width: int, height: int
) -> list[Line]:
    """How it was over a while, in about ``height`` lines."""
    if latest is None:
        return [[], [(" nothing has measured the machine yet", Tone.MUTED)]]
    across = 3 if width >= _THREE else 2 if width >= _TWO else 1
    size = width // across
    graphs = _graphs(latest)
    rows = max(2, height // -(-len(graphs) // across) - 3)
    charts = [_drawn(graph, past, glyphs, width=size - 1, rows=rows) for graph in graphs]
    return beside(charts, across, size)[:-1]


def _graphs(latest: HostSample) -> list[_Graph]:
    def size(value: float) -> str:
        return format_size(int(value))

    def rate(value: float) -> str:
        return f"{size(value)}/s"

    return [
        _Graph("processor", Tone.BUSY, Figure.CPU, lambda value: f"{value:.0f} %",
               latest.cpu, 100.0),
        _Graph("memory", Tone.SPECIAL, Figure.MEMORY, size,
               latest.memory_used, latest.memory_total, size(latest.memory_total)),
        _Graph("load", Tone.ACCENT, Figure.LOAD, lambda value: f"{value:.2f}", latest.load[0]),
        _Graph("disk", Tone.WARN, Figure.DISK, size, latest.disk_used, latest.disk_total,
               size(latest.disk_total)),
        _Graph("network in", Tone.GOOD, Figure.RECEIVED, rate, latest.received_rate),
        _Graph("network out", Tone.GOOD, Figure.SENT, rate, latest.sent_rate),
    ]  # fmt: skip


def _drawn(graph: _Graph, past: Past, glyphs: Glyphs, *, width: int, rows: int) -> list[Line]:
    shown = past.columns(graph.figure, max(4, width - 2))
    greatest = max(shown)
    words = f"{graph.words(graph.now)}, at most {graph.words(greatest)}"
    if graph.of and len(graph.label) + len(words) + len(graph.of) < width:
        words = f"{words}, of {graph.of}"
    return chart(
        graph.label, words, shown, graph.top or greatest or 1.0,
        width=width, rows=rows, tone=graph.tone, glyphs=glyphs,
    )  # fmt: skip
