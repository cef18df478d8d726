"""Reports of tasks as JSON documents, and back."""

from __future__ import annotations

from typing import Any

from typing_extensions import TypedDict

from evalbox.domain.outcome import Outcome
from evalbox.domain.report import IntermediateScore, PhaseReport, TaskReport
from evalbox.wire import document, reading, shapes
from evalbox.wire.moments import iso_or_none, seconds_or_none


class PhaseReportDocument(TypedDict):
    """A phase of a task's life, by the sandbox's clock; ``limit`` in seconds. ``error`` says how
    it broke, if it did.
    """

    name: str
    began: str | None
    ended: str | None
    limit: float | None
    error: str


class IntermediateScoreDocument(TypedDict):
    """A score between the beginning and the end, ``elapsed`` seconds after the task began.

    ``message`` is what the agent is told, ``details`` what it is not.
    """

    score: shapes.FullScoreDocument
    created_at: str | None
    scored_at: str | None
    elapsed: float | None
    message: dict[str, Any]
    details: dict[str, Any]


class TaskReportDocument(TypedDict):
    """What the driver of a task reports of its life.

    ``left_out`` counts intermediate scores beyond those that are kept. ``worked``: somebody or
    something worked on the task, and ``status`` is the exit status, null where that took too long.
    ``submission`` counts its bytes. ``agent`` is the way in which it was attempted, and
    ``instructions`` the beginning of what it was told.
    """

    outcome: Outcome
    reason: str
    score: shapes.FullScoreDocument | None
    phases: list[PhaseReportDocument]
    intermediate: list[IntermediateScoreDocument]
    left_out: int
    worked: bool
    status: int | None
    submission: int | None
    agent: str
    instructions: str


def report(item: TaskReport) -> TaskReportDocument:
    return {
        "outcome": item.outcome,
        "reason": item.reason,
        "score": None if item.score is None else document.full_score(item.score),
        "phases": [_phase(one) for one in item.phases],
        "intermediate": [_between(one) for one in item.intermediate],
        "left_out": item.left_out,
        "worked": item.worked,
        "status": item.status,
        "submission": item.submission,
        "agent": item.agent,
        "instructions": item.instructions,
    }


def _phase(item: PhaseReport) -> PhaseReportDocument:
    return {
        "name": item.name,
        "began": iso_or_none(item.began),
        "ended": iso_or_none(item.ended),
        "limit": item.limit,
        "error": item.error,
    }


def _between(item: IntermediateScore) -> IntermediateScoreDocument:
    return {
        "score": document.full_score(item.score),
        "created_at": iso_or_none(item.created_at),
        "scored_at": iso_or_none(item.scored_at),
        "elapsed": item.elapsed,
        "message": dict(item.message),
        "details": dict(item.details),
    }


def report_from(given: TaskReportDocument | None) -> TaskReport | None:
    if given is None:
        return None
    return TaskReport(
        outcome=Outcome(given["outcome"]),
        reason=given["reason"],
        score=reading.full_score(given["score"]),
        phases=tuple(_phase_from(one) for one in given["phases"]),
        intermediate=tuple(_between_from(one) for one in given["intermediate"]),
        left_out=given["left_out"],
        worked=given["worked"],
        status=given["status"],
        submission=given["submission"],
        # A box of a release before tells neither.
        agent=given.get("agent", ""),
        instructions=given.get("instructions", ""),
    )


def _phase_from(given: PhaseReportDocument) -> PhaseReport:
    return PhaseReport(
        name=given["name"],
        began=seconds_or_none(given["began"]),
        ended=seconds_or_none(given["ended"]),
        limit=given["limit"],
        error=given["error"],
    )


def _between_from(given: IntermediateScoreDocument) -> IntermediateScore:
    return IntermediateScore(
        score=reading.known_score(given["score"]),
        created_at=seconds_or_none(given["created_at"]),
        scored_at=seconds_or_none(given["scored_at"]),
        elapsed=given["elapsed"],
        message=given["message"],
        details=given["details"],
    )
