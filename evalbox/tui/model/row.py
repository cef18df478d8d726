"""An evaluation as a table has it: small, since there are a hundred thousand of them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from sys import intern

from evalbox.domain.evaluation import AGENT, Evaluation
from evalbox.domain.ids import short
from evalbox.domain.outcome import Outcome
from evalbox.domain.score import Score, ScoreKind
from evalbox.domain.state import ACTIVE, FINAL, State


@dataclass(slots=True, eq=False)
class Row:
    """Times are seconds since 1970. ``changed_at`` is when it was last heard of.

    ``troubles`` counts the attempts that evalbox itself let down, as far as the retry budget goes.
    ``agent`` is its label of that name. ``labels`` are ``key=value``, parted by spaces. ``score``
    leaves out the checks and the text that it was read from. ``known`` is False for one that only
    its first event has told of: labels and the like are still to come.
    """

    id: str
    name: str = ""
    batch: str = ""
    engine: str = ""
    image: str = ""
    kind: str = ""
    labels: str = ""
    agent: str = ""
    priority: int = 1
    state: State = State.QUEUED
    outcome: Outcome | None = None
    created_at: float = 0.0
    changed_at: float = 0.0
    started_at: float | None = None
    finished_at: float | None = None
    not_before: float | None = None
    attempts: int = 0
    exit_code: int | None = None
    reason: str = ""
    error: str = ""
    troubles: int = 0
    score: Score | None = None
    cancelling: bool = False
    known: bool = False

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
    # Most of these are the same for thousands of rows.
    row.name = _shared(spec.name)
    row.batch = _shared(spec.batch or "")
    row.engine = intern(spec.engine)
    row.image = intern(spec.image)
    row.kind = intern(spec.kind)
    row.labels = _shared(" ".join(f"{key}={value}" for key, value in spec.labels.items()))
    row.agent = _shared(spec.labels.get(AGENT, ""))
    row.priority = int(spec.priority)
    row.state = item.state
    row.outcome = item.outcome
    row.created_at = item.created_at
    row.changed_at = item.updated_at
    row.started_at = item.started_at
    ended = item.finished_at
    row.finished_at = row.changed_at if ended == row.changed_at else ended
    row.not_before = item.not_before
    row.attempts = item.attempts
    row.exit_code = item.exit_code
    row.reason = _shared(item.reason)
    row.error = _shared(item.error)
    row.troubles = item.infra_failures
    row.score = None if item.score is None else slim(item.score.kind, item.score.value)
    row.cancelling = item.cancel_requested and item.state not in FINAL
    row.known = True


@lru_cache(maxsize=4096)
def _shared(text: str) -> str:
    """One object for texts that are alike; what is not seen again is let go of."""
    return text


@lru_cache(maxsize=4096)
def slim(kind: ScoreKind, value: float | None) -> Score:
    """What a table shows of a score: one object for all that are alike."""
    return Score(kind, value)


def row_of(item: Evaluation) -> Row:
    row = Row(item.id)
    fill(row, item)
    return row
