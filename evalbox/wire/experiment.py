"""What a batch found, as a JSON document."""

from __future__ import annotations

from typing import Any

from evalbox.domain.experiment import Cell, Experiment, Line
from evalbox.wire.document import text


def experiment(found: Experiment) -> dict[str, Any]:
    """``k`` is that of ``pass_at_k`` and ``pass_all_k``; ``reducer`` made one of a task's scores.

    Rates and scores are null where nothing is known of them; an interval has 95 % confidence.
    """
    return {
        "batch": found.name,
        "evaluations": len(found.items),
        "older": found.older,
        "k": found.k,
        "reducer": found.reducer,
        "overall": _line(found.all),
        "agents": [{"agent": line.agent, **_line(line)} for line in found.lines],
        "cells": [
            {"task": text(task), "agent": agent, **cell(held), "scores": list(held.scores)}
            for (task, agent), held in found.cells.items()
        ],
    }


def cell(held: Cell) -> dict[str, Any]:
    return {
        "evaluations": len(held.items),
        "ended": held.ended,
        "judged": held.judged,
        "passed": held.passed,
        "pass_rate": held.pass_rate,
        "interval": None if held.interval is None else list(held.interval),
        "scored": len(held.scores),
        "unsettled": held.unsettled,
        "lost": held.lost,
        "outcomes": dict(sorted(held.outcomes.items())),
        "seconds": held.seconds,
        "retries": held.retries,
    }


def _line(line: Line) -> dict[str, Any]:
    return {
        **cell(line),
        "pass_rate_error": line.rate_error,
        "score": line.score,
        "score_error": line.error,
        "pass_at_k": line.any_of,
        "pass_all_k": line.all_of,
    }
