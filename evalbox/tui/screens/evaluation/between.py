"""The scores of a task between its beginning and its end, as a picture and one by one."""

from __future__ import annotations

import json
from collections.abc import Sequence

from evalbox.domain.quantity import format_duration
from evalbox.domain.report import IntermediateScore, TaskReport
from evalbox.tui.glyphs import Glyphs, sparkline
from evalbox.tui.screens.evaluation.worth import words
from evalbox.tui.text import steady
from evalbox.tui.theme import Tone
from evalbox.tui.widgets.charts import over_time
from evalbox.tui.widgets.picture import Line, Span

#: Cells beside the picture; its rows; scores that are told one by one, the newest.
_SIDE, _ROWS, _LISTED = 10, 5, 200
#: Cells of when and of what; characters of what was told.
_WHEN, _WHAT, _TOLD = 9, 10, 2000


def drawn_between(report: TaskReport, glyphs: Glyphs, width: int) -> list[Line]:
    """Nothing where there are none."""
    entries = report.intermediate
    if not entries:
        return []
    lines: list[Line] = [[], [(" over time", Tone.STRONG)]]
    lines += _picture(entries, glyphs, max(4, width - _SIDE - 2))
    if hidden := len(entries) + report.left_out - min(len(entries), _LISTED):
        lines.append([(f" the newest {_LISTED:,}, and {hidden:,} before", Tone.MUTED)])
    return [*lines, *(_line(entry) for entry in reversed(entries[-_LISTED:]))]


def _picture(entries: Sequence[IntermediateScore], glyphs: Glyphs, size: int) -> list[Line]:
    """The numbers as columns, from the least, or 0, to the greatest."""
    timed = all(entry.elapsed is not None for entry in entries)
    points = [
        ((entry.elapsed or 0.0) if timed else float(place), entry.score.value)
        for place, entry in enumerate(entries)
        if entry.score.value is not None
    ]
    if not points:
        return []
    numbers = [value for _, value in points]
    bottom, top = min(0.0, *numbers), max(0.0, *numbers)
    shares = [(at, _share(value, bottom, top)) for at, value in points]
    values = over_time(sorted(shares), size)
    step = 1.0 / _ROWS
    lines: list[Line] = []
    for row in reversed(range(_ROWS)):
        part = [min(step, max(0.0, value - step * row)) for value in values]
        beside = {_ROWS - 1: f"{top:.4g}", 0: f"{bottom:.4g}"}.get(row, "")
        lines.append(
            [
                (f"{beside[: _SIDE - 1]:>{_SIDE - 1}} ", Tone.FAINT),
                (sparkline(part, size, step, glyphs), Tone.BUSY),
            ]
        )
    if timed:
        last = format_duration(max(at for at, _ in points))
        first = format_duration(min(at for at, _ in points))
        gap = max(1, size - len(first) - len(last))
        lines.append([(f"{' ' * _SIDE}{first}{' ' * gap}{last}", Tone.FAINT)])
    return lines


def _share(value: float, bottom: float, top: float) -> float:
    """Where between the two it is, from 0 to 1. Their distance may be more than any number."""
    height = top / 2 - bottom / 2
    return (value / 2 - bottom / 2) / height if height > 0 else 0.0


def _line(entry: IntermediateScore) -> Line:
    when = "" if entry.elapsed is None else format_duration(entry.elapsed)
    ((what, tone), *_) = words(entry.score)
    told: list[Span] = [
        (f" {when:>{_WHEN}}", Tone.MUTED),
        (f" {what:>{_WHAT}}", tone),
    ]
    if entry.message:
        text = json.dumps(dict(entry.message), ensure_ascii=False)[:_TOLD]
        told.append((f"  {steady(text)}", Tone.TEXT))
    if entry.details:
        text = json.dumps(dict(entry.details), ensure_ascii=False)[:_TOLD]
        told.append((f"  {steady(text)}", Tone.FAINT))
    return told
