"""A named group of evaluations with its own limit on how many run at once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from evalbox.domain.outcome import Outcome
from evalbox.domain.state import State


@dataclass(frozen=True, slots=True)
class Batch:
    """``concurrency`` None means no limit but the pool's."""

    name: str
    created_at: float
    concurrency: int | None = None
    states: Mapping[State, int] = field(default_factory=dict)
    outcomes: Mapping[Outcome, int] = field(default_factory=dict)

    @property
    def total(self) -> int:
        return sum(self.states.values())
