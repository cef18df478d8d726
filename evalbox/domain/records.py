"""Values that travel between the store and the front ends."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from evalbox.domain.evaluation import Priority
from evalbox.domain.outcome import Outcome
from evalbox.domain.score import ScoreKind
from evalbox.domain.state import State


@dataclass(frozen=True, slots=True)
class OutputPiece:
    """A stretch of an attempt's kept output.

    ``offset`` counts bytes of both streams together, in order of arrival; ``stream`` is 1 for
    standard output and 2 for standard error; ``at`` is when its first byte came.
    """

    offset: int
    stream: int
    at: float
    data: bytes


@dataclass(frozen=True, slots=True)
class ArtifactRecord:
    """A path that an attempt left. ``kind`` is ``file``, or ``skipped`` with the ``reason``."""

    path: str
    size: int
    mode: int = 0o644
    kind: str = "file"
    reason: str = ""


@dataclass(frozen=True, slots=True)
class EvaluationFilter:
    """Which evaluations to list; what is None or empty does not filter.

    ``name`` is a glob. Every label given must match.
    """

    states: frozenset[State] = frozenset()
    outcomes: frozenset[Outcome] = frozenset()
    scores: frozenset[ScoreKind] = frozenset()
    batch: str | None = None
    name: str | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    engine: str | None = None
    priority: Priority | None = None
    created_after: float | None = None
    created_before: float | None = None


@dataclass(frozen=True, slots=True)
class QueueState:
    """What users have set: ``slots`` None means the settings' number."""

    paused: bool = False
    slots: int | None = None


@dataclass(frozen=True, slots=True)
class Waiting:
    """Why a queued evaluation is not running.

    ``cause`` is one of ``paused``, ``not_before``, ``batch_limit``, ``resources``, ``engine_held``,
    ``turn``; ``ahead`` counts the evaluations whose turn comes before.
    """

    cause: str
    ahead: int = 0
    detail: str = ""


@dataclass(frozen=True, slots=True)
class QueueStatus:
    """How the queue stands. ``holding`` says in words why nothing more starts, else is empty.

    ``working`` says whether any process runs the queue; ``here`` whether it is this one;
    ``draining`` that it starts nothing more, as it is about to end.
    """

    paused: bool
    slots: int
    states: dict[State, int]
    warm: int
    holding: str
    working: bool
    here: bool
    draining: bool = False
