"""What the driver of a task reports of an attempt, in lines."""

from __future__ import annotations

import json
from collections.abc import Iterator

from evalbox.cli import render
from evalbox.cli.console import Console
from evalbox.domain.inert import inert_line
from evalbox.domain.quantity import format_duration, format_size
from evalbox.domain.report import IntermediateScore, TaskReport

#: Scores that are listed, the newest; characters of what is told of one.
_MOST, _TOLD = 20, 120


def report_pairs(console: Console, report: TaskReport) -> Iterator[tuple[str, str]]:
    """A label and a text for each line."""
    for phase in report.phases:
        took = ""
        if phase.began is not None and phase.ended is not None:
            took = f"  {format_duration(max(0.0, phase.ended - phase.began))}"
        limit = "" if phase.limit is None else f" of {format_duration(phase.limit)}"
        error = f"  {console.style(inert_line(phase.error), 'red')}" if phase.error else ""
        yield "phase", f"{render.cell(phase.name)}{took}{limit if took else ''}{error}"
    if report.worked:
        ended = "took too long" if report.status is None else f"exit {report.status}"
        yield "agent", ended
    if report.submission is not None:
        yield "submission", format_size(report.submission)
    shown = report.intermediate[-_MOST:]
    if before := len(report.intermediate) + report.left_out - len(shown):
        yield "in between", f"{before:,} more, which --json lists"
    for entry in shown:
        yield "in between", _between(console, entry)


def _between(console: Console, entry: IntermediateScore) -> str:
    at = "" if entry.elapsed is None else f"  after {format_duration(entry.elapsed)}"
    told = json.dumps(dict(entry.message), ensure_ascii=False) if entry.message else ""
    if len(told) > _TOLD:
        told = told[:_TOLD] + "..."
    said = f"  {inert_line(told)}" if told else ""
    return f"{render.score(console, entry.score)}{at}{said}"
