"""A named group of evaluations with its own limit on how many run at once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from evalbox.domain.outcome import Outcome
from evalbox.domain.reduction import Reduction
from evalbox.domain.state import FINAL, State
from evalbox.domain.statistics import Rated

#: Seconds over which the pace of a batch is measured.
RECENT = 600.0


@dataclass(frozen=True, slots=True)
class Batch(Rated):
    """``concurrency`` None means no limit but the pool's.

    ``outcomes`` are of those that have ended.
    Times are seconds since 1970: when its first attempt started, and when its last evaluation
    ended, None while any has not. ``attempts`` counts those begun, ``spent`` is the seconds that
    all that have ended took, ``respent`` the part of it that went into those that had to be tried
    again. ``recent`` counts what ended in the last ``RECENT`` seconds. ``scored`` counts those
    whose score is a number, of which ``mean_score`` is the mean, if it can be told. ``unsettled``
    counts those that ended ``ok`` with a score that is invalid, or left to a person.
    With ``fail_fast`` the first that fails has the rest cancelled; ``reduction`` is its last step.
    """

    name: str
    created_at: float
    concurrency: int | None = None
    states: Mapping[State, int] = field(default_factory=dict)
    outcomes: Mapping[Outcome, int] = field(default_factory=dict)
    started_at: float | None = None
    finished_at: float | None = None
    attempts: int = 0
    spent: float = 0.0
    respent: float = 0.0
    recent: int = 0
    scored: int = 0
    mean_score: float | None = None
    unsettled: int = 0
    fail_fast: bool = False
    reduction: Reduction | None = None

    @property
    def total(self) -> int:
        return sum(self.states.values())

    @property
    def ended(self) -> int:
        return sum(count for state, count in self.states.items() if state in FINAL)

    @property
    def passed(self) -> int:
        """Those that ended ``ok``. What their scores are is told apart, as they have no threshold;
        a score that is invalid or left to a person makes neither a pass nor a failure.
        """
        return self.states.get(State.COMPLETED, 0) - self.unsettled

    @property
    def judged(self) -> int:
        """Those that passed or failed: neither cancelled, nor lost to the box, nor unsettled, nor
        broken by the task itself, which says nothing of who attempted it.
        """
        broken = self.outcomes.get(Outcome.TASK_ERROR, 0)
        return self.passed + self.states.get(State.FAILED, 0) - broken

    def throughput(self, now: float) -> float | None:
        """How many end in an hour: of late, or over all its time where it has finished.

        None where that cannot be told.
        """
        if self.started_at is None:
            return None
        if self.finished_at is not None:
            count, seconds = self.ended, self.finished_at - self.started_at
        else:
            count, seconds = self.recent, min(RECENT, now - self.started_at)
        return count / seconds * 3600.0 if count and seconds > 0 else None

    def eta(self, now: float) -> float | None:
        """Seconds until all have ended, at the pace of late; None where that cannot be told."""
        left = self.total - self.ended
        if not left:
            return 0.0
        pace = self.throughput(now)
        return left / pace * 3600.0 if pace else None
