"""Values over time as columns, under the line of their limit."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from evalbox.tui.glyphs import Glyphs, resampled, sparkline
from evalbox.tui.theme import Tone
from evalbox.tui.widgets.picture import Line, Span, measure

_INDENT = 1


def chart(
    label: str,
    words: str,
    values: Sequence[float],
    top: float,
    *,
    width: int,
    rows: int,
    tone: Tone,
    glyphs: Glyphs,
) -> list[Line]:
    """``rows`` + 2 lines of ``width`` cells; full height is ``top``. The newest is at the right."""
    size = max(4, width - 2 * _INDENT)
    drawn = resampled(values, size)
    lines: list[Line] = [
        [(f" {label}", Tone.MUTED), (f"  {words}"[: max(0, size - len(label))], Tone.TEXT)],
        [(" ", Tone.TEXT), (glyphs.limit * size, Tone.FAINT)],
    ]
    step = top / rows
    for row in reversed(range(rows)):
        part = [min(step, max(0.0, value - step * row)) for value in drawn]
        lines.append([(" ", Tone.TEXT), (sparkline(part, size, step, glyphs), tone)])
    return lines


def beside(charts: Sequence[list[Line]], columns: int, width: int) -> list[Line]:
    """Charts of ``width`` cells, ``columns`` of them in a row, with a line between the rows."""
    lines: list[Line] = []
    for first in range(0, len(charts), columns):
        for parts in zip(*charts[first : first + columns], strict=True):
            line: list[Span] = []
            for part in parts:
                line += [*part, (" " * (width - measure(part)), Tone.TEXT)]
            lines.append(line)
        lines.append([])
    return lines


@dataclass(frozen=True, slots=True)
class Graph:
    """Values at times (seconds), oldest first. ``tell`` puts one into a few letters."""

    label: str
    words: str
    points: Sequence[tuple[float, float]]
    limit: float
    tell: Callable[[float], str]


#: Cells of what stands beside a graph; the part of the limit below which that is out of sight,
#: and how far a scale of its own then goes beyond the peak.
_SIDE, _SMALL, _ABOVE = 10, 1 / 8, 1.25


def drawn(
    graph: Graph, glyphs: Glyphs, *, width: int, rows: int, dotted: bool = False
) -> list[Line]:
    """``rows`` + 2 lines of ``width`` cells, with the limit as a line across.

    What stays far below its limit is drawn on a scale of its own, and the line says that the limit
    is above it. ``dotted``: twice as many values, in half as many steps.
    """
    size = max(4, width - _SIDE - 2)
    values = over_time(graph.points, 2 * size if dotted else size)
    peak = max(values, default=0.0)
    small = peak < graph.limit * _SMALL
    top = _round_up(_ABOVE * peak) if small else max(graph.limit, peak)
    above = f" limit {graph.tell(graph.limit)}{' is above' if small else ''} "
    lines: list[Line] = [[(f" {graph.label:<{_SIDE - 1}}", Tone.STRONG), (graph.words, Tone.TEXT)]]
    line_at = rows if small else min(rows, math.ceil(graph.limit / top * rows))
    if line_at == rows:
        lines.append(_limit(above, size, glyphs))
    for row in reversed(range(rows)):
        step = top / rows
        part = [min(step, max(0.0, value - step * row)) for value in values]
        text = dots(part, size, step) if dotted else sparkline(part, size, step, glyphs)
        beside = {rows - 1: graph.tell(top), 0: graph.tell(0.0) if rows > 1 else ""}.get(row, "")
        tone = Tone.BAD if step * row >= graph.limit else Tone.BUSY
        lines.append([(f"{beside[: _SIDE - 1]:>{_SIDE - 1}} ", Tone.FAINT), (text, tone)])
        if row == line_at:
            lines.append(_limit(above, size, glyphs))
    return lines


def _limit(words: str, size: int, glyphs: Glyphs) -> Line:
    text = words.center(size, glyphs.limit) if size > len(words) else glyphs.limit * size
    return [(" " * _SIDE, Tone.TEXT), (text, Tone.WARN)]


#: The dots of a cell's two columns, from none to all four, from the bottom.
_LEFT, _RIGHT = (0x00, 0x40, 0x44, 0x46, 0x47), (0x00, 0x80, 0xA0, 0xB0, 0xB8)
_BLANK = 0x2800


def dots(values: Sequence[float], width: int, top: float) -> str:
    """The last of the values, two for each of ``width`` cells, in dots; full at ``top``."""
    levels = [0 if value <= 0 else max(1, min(4, int(value / top * 4))) for value in values]
    levels = [0] * (2 * width - len(levels)) + levels[-2 * width :]
    return "".join(
        chr(_BLANK + _LEFT[left] + _RIGHT[right])
        for left, right in zip(levels[::2], levels[1::2], strict=True)
    )


def over_time(points: Sequence[tuple[float, float]], width: int) -> list[float]:
    """A value for each of ``width`` equal stretches of time: the greatest, or the one before."""
    if not points:
        return []
    begin, end = points[0][0], points[-1][0]
    values: list[float | None] = [None] * width
    for at, value in points:
        share = (at - begin) / (end - begin) if end > begin else 0.0
        place = min(width - 1, int(share * width))
        known = values[place]
        values[place] = value if known is None else max(known, value)
    last = points[0][1]
    found = []
    for one in values:
        last = last if one is None else one
        found.append(last)
    return found


def _round_up(value: float) -> float:
    """To one digit, so that the scale seldom changes; 1 for nothing."""
    if value <= 0:
        return 1.0
    unit = 10.0 ** math.floor(math.log10(value))
    return math.ceil(value / unit) * unit
