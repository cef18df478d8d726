"""Values over time as columns, under the line of their limit."""

from __future__ import annotations

from collections.abc import Sequence

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
