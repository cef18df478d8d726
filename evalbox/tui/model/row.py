"""An evaluation as a table has it: small, since there are a hundred thousand of them."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, TypeVar

from evalbox.domain.evaluation import AGENT, Evaluation
from evalbox.domain.ids import short
from evalbox.domain.outcome import Outcome
from evalbox.domain.score import Score, ScoreKind
from evalbox.domain.state import ACTIVE, FINAL, State

S = TypeVar("S", bound=Hashable)


@dataclass(frozen=True, slots=True)
class Origin:
    """What was asked for, as far as thousands of evaluations have it in common.

    ``agent`` is the label of that name.
    """

    batch: str = ""
    engine: str = ""
    image: str = ""
    kind: str = ""
    agent: str = ""
    priority: int = 1


@dataclass(frozen=True, slots=True)
class Course:
    """How its attempts went, which is the same for many.

    ``troubles`` counts the attempts that evalbox itself let down, as far as the retry budget goes.
    ``score`` leaves out the checks and the text that it was read from.
    """

    attempts: int = 0
    troubles: int = 0
    outcome: Outcome | None = None
    exit_code: int | None = None
    reason: str = ""
    error: str = ""
    score: Score | None = None


@dataclass(slots=True, eq=False)
class Row:
    """Times are seconds since 1970. ``changed_at`` is when it was last heard of.

    ``labels`` are ``key=value``, parted by spaces. ``known`` is False for one that only its first
    event has told of: labels and the like are still to come.
    """

    id: str
    name: str = ""
    labels: str = ""
    state: State = State.QUEUED
    created_at: float = 0.0
    changed_at: float = 0.0
    started_at: float | None = None
    finished_at: float | None = None
    not_before: float | None = None
    cancelling: bool = False
    known: bool = False
    origin: Origin = Origin()
    course: Course = Course()

    @property
    def batch(self) -> str:
        return self.origin.batch

    @property
    def engine(self) -> str:
        return self.origin.engine

    @property
    def image(self) -> str:
        return self.origin.image

    @property
    def kind(self) -> str:
        return self.origin.kind

    @property
    def agent(self) -> str:
        return self.origin.agent

    @property
    def priority(self) -> int:
        return self.origin.priority

    @property
    def attempts(self) -> int:
        return self.course.attempts

    @property
    def troubles(self) -> int:
        return self.course.troubles

    @property
    def outcome(self) -> Outcome | None:
        return self.course.outcome

    @property
    def exit_code(self) -> int | None:
        return self.course.exit_code

    @property
    def reason(self) -> str:
        return self.course.reason

    @property
    def error(self) -> str:
        return self.course.error

    @property
    def score(self) -> Score | None:
        return self.course.score

    @property
    def short_id(self) -> str:
        return short(self.id)

    @property
    def active(self) -> bool:
        return self.state in ACTIVE

    @property
    def over(self) -> bool:
        return self.state in FINAL

    def elapsed(self, now: float) -> float | None:
        """Seconds that it ran, or has run so far."""
        if self.started_at is None:
            return None
        if self.active:
            return max(0.0, now - self.started_at)
        if self.finished_at is None or self.finished_at < self.started_at:
            return None
        return self.finished_at - self.started_at


def fill(row: Row, item: Evaluation) -> None:
    """Brings ``row`` up to what the box knows."""
    spec = item.spec
    row.name = shared(spec.name)
    row.labels = shared(" ".join(f"{key}={value}" for key, value in spec.labels.items()))
    row.state = item.state
    # What was submitted at once has one time.
    row.created_at = shared(item.created_at)
    row.changed_at = item.updated_at
    row.started_at = item.started_at
    ended = item.finished_at
    row.finished_at = row.changed_at if ended == row.changed_at else ended
    row.not_before = item.not_before
    row.cancelling = item.cancel_requested and item.state not in FINAL
    row.known = True
    row.origin = shared(
        Origin(
            spec.batch or "",
            spec.engine,
            spec.image,
            spec.kind,
            spec.labels.get(AGENT, ""),
            int(spec.priority),
        )
    )
    row.course = shared(
        Course(
            item.attempts,
            item.infra_failures,
            item.outcome,
            item.exit_code,
            item.reason,
            item.error,
            None if item.score is None else slim(item.score.kind, item.score.value),
        )
    )


def shared(value: S) -> S:
    """One object for values that are alike; what is not seen again is let go of."""
    kept: S = _kept(value)
    return kept


@lru_cache(maxsize=8192)
def _kept(value: Any) -> Any:
    return value


@lru_cache(maxsize=4096)
def slim(kind: ScoreKind, value: float | None) -> Score:
    """What a table shows of a score: one object for all that are alike."""
    return Score(kind, value)


def row_of(item: Evaluation) -> Row:
    row = Row(item.id)
    fill(row, item)
    return row
