"""What a batch found as CSV: a row for each task and agent."""

from __future__ import annotations

import csv
import io

from evalbox.domain.experiment import Cell, Experiment
from evalbox.domain.reducers import Reducer
from evalbox.export.spreadsheet import Value, cell

_COLUMNS = ("task", "agent", "evaluations", "ended", "judged", "passed", "pass_rate", "low", "high",
            "scored", "score_mean", "score_max", "score_median", "unsettled", "lost", "seconds",
            "retries")  # fmt: skip


def render(found: Experiment) -> bytes:
    """UTF-8, with lines that end in CR LF as RFC 4180 has it."""
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(_COLUMNS)
    for (task, agent), held in found.cells.items():
        writer.writerow([cell(value) for value in (task, agent, *_figures(held))])
    return text.getvalue().encode()


def _figures(held: Cell) -> tuple[Value, ...]:
    low, high = held.interval or (None, None)
    reduced = [one.reduce(held.scores) for one in (Reducer.MEAN, Reducer.MAX, Reducer.MEDIAN)]
    counts = (len(held.items), held.ended, held.judged, held.passed)
    rest = (held.unsettled, held.lost, round(held.seconds, 3), held.retries)
    return (*counts, held.pass_rate, low, high, len(held.scores), *reduced, *rest)
