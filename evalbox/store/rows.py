"""Rows and the values that they stand for: the columns are listed here, once."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from evalbox.domain.attempt import Attempt, Usage, Verdict
from evalbox.domain.evaluation import Evaluation, Priority
from evalbox.domain.event import Event
from evalbox.domain.outcome import Outcome
from evalbox.domain.score import Score, ScoreKind
from evalbox.domain.state import State
from evalbox.store.codec import decode_score, decode_spec

Row = Sequence[Any]

#: Columns of an evaluation. Usable in SELECT and in RETURNING.
EVALUATION = """
    id, state, created_at, updated_at, attempts, failures, infra_failures, outcome, exit_code,
    reason, not_before, started_at, finished_at, cancel_requested,
    (SELECT body FROM specs WHERE evaluation_id = evaluations.id), priority,
    error, score_kind, score, score_reason
"""

ATTEMPT = """
    evaluation_id, number, claimed_at, engine, sandbox_id, image_digest, warm, started_at,
    first_output_at, finished_at, outcome, exit_code, signal, reason, oom_killed, cpu_seconds,
    memory, memory_peak, pids, disk, read_bytes, written_bytes, output_bytes, truncated, error,
    score
"""

USAGE = "cpu_seconds, memory, memory_peak, pids, disk, read_bytes, written_bytes"

EVENT = "seq, at, kind, evaluation_id, attempt, data, batch"


def evaluation_from(row: Row) -> Evaluation:
    """From a row of the columns ``EVALUATION``."""
    spec = decode_spec(row[14])
    if row[15] != spec.priority:
        # It was put elsewhere in the line; what was asked for stays as it was.
        spec = replace(spec, priority=Priority(row[15]))
    return Evaluation(
        id=row[0],
        spec=spec,
        state=State(row[1]),
        created_at=row[2],
        updated_at=row[3],
        attempts=row[4],
        failures=row[5],
        infra_failures=row[6],
        outcome=None if row[7] is None else Outcome(row[7]),
        exit_code=row[8],
        reason=row[9],
        not_before=row[10],
        started_at=row[11],
        finished_at=row[12],
        cancel_requested=bool(row[13]),
        error=row[16],
        score=None if row[17] is None else Score(ScoreKind(row[17]), row[18], row[19]),
    )


def attempt_from(row: Row) -> Attempt:
    """From a row of the columns ``ATTEMPT``."""
    verdict = None
    if row[10] is not None:
        verdict = Verdict(
            outcome=Outcome(row[10]),
            exit_code=row[11],
            signal=row[12],
            reason=row[13],
            oom_killed=bool(row[14]),
            error=row[24],
            score=None if row[25] is None else decode_score(row[25]),
        )
    return Attempt(
        evaluation_id=row[0],
        number=row[1],
        claimed_at=row[2],
        engine=row[3],
        sandbox_id=row[4],
        image_digest=row[5],
        warm=None if row[6] is None else bool(row[6]),
        started_at=row[7],
        first_output_at=row[8],
        finished_at=row[9],
        verdict=verdict,
        usage=usage_from(row[15:22]),
        output_bytes=row[22],
        truncated=bool(row[23]),
    )


def usage_from(row: Row) -> Usage:
    """From a row of the columns ``USAGE``."""
    return Usage(*row)


def usage_values(usage: Usage) -> tuple[float, int, int, int, int, int, int]:
    """The values of the columns ``USAGE``."""
    return (
        float(usage.cpu_seconds),
        usage.memory,
        usage.memory_peak,
        usage.pids,
        usage.disk,
        usage.read_bytes,
        usage.written_bytes,
    )


def event_from(row: Row) -> Event:
    """From a row of the columns ``EVENT``."""
    return Event(row[0], row[1], row[2], row[3], row[4], json.loads(row[5]), row[6])
