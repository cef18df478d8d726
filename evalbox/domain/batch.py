"""A named group of evaluations with its own limit on how many run at once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from evalbox.domain.outcome import Outcome
from evalbox.domain.state import State

#: Seconds over which the pace of a batch is measured.
RECENT = 600.0


@dataclass(frozen=True, slots=True)
class Batch:
    """``concurrency`` None means no limit but the pool's.

    Times are seconds since 1970. ``attempts`` counts those begun, ``spent`` is the seconds that all
    of them took, ``respent`` the part of it that went into those that had to be tried again.
    ``recent`` counts what ended in the last ``RECENT`` seconds.
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

    @property
    def total(self) -> int:
        return sum(self.states.values())
