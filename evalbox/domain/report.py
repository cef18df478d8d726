"""What the driver of a task reports of its life, as far as it could be understood."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from evalbox.domain.outcome import Outcome
from evalbox.domain.score import Score


@dataclass(frozen=True, slots=True)
class PhaseReport:
    """A phase of a task's life. Times are seconds since 1970 by the sandbox's clock, ``limit`` is
    in seconds; None is not known. ``error`` says how it broke, if it did.
    """

    name: str
    began: float | None = None
    ended: float | None = None
    limit: float | None = None
    error: str = ""


@dataclass(frozen=True, slots=True)
class IntermediateScore:
    """A score between the beginning and the end.

    ``created_at`` is when it was asked for and ``scored_at`` when it was there, in seconds since
    1970, ``elapsed`` the seconds since the task began. ``message`` is what the agent is told,
    ``details`` what it is not.
    """

    score: Score
    created_at: float | None = None
    scored_at: float | None = None
    elapsed: float | None = None
    message: Mapping[str, Any] = field(default_factory=dict)
    details: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class TaskReport:
    """``outcome`` is ``ok``, ``timeout`` or ``task_error``, and ``reason`` says why.

    ``left_out`` counts intermediate scores beyond those that are kept. ``worked``: somebody or
    something worked on the task; ``status`` is then the exit status, None where it took too long.
    ``submission`` counts its bytes, None where there was none. ``agent`` is the way in which it was
    attempted, ``instructions`` the beginning of what it was told; both are empty where not known.
    """

    outcome: Outcome
    reason: str = ""
    score: Score | None = None
    phases: tuple[PhaseReport, ...] = ()
    intermediate: tuple[IntermediateScore, ...] = ()
    left_out: int = 0
    worked: bool = False
    status: int | None = None
    submission: int | None = None
    agent: str = ""
    instructions: str = ""
