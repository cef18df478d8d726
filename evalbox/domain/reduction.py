"""What a box does with a batch of its own accord: ends it early, and reduces it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from evalbox.domain.evaluation import EvaluationSpec

#: The label of an evaluation that reduces a batch: the batch's name.
REDUCES = "reduces"


class ReductionState(StrEnum):
    """``WAITING`` for the others to end; ``REFUSED`` where they left too much."""

    WAITING = "waiting"
    MADE = "made"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Reduction:
    """How the reduce step of a batch stands. ``evaluation_id`` is known once it is made."""

    state: ReductionState
    evaluation_id: str | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class BatchPlan:
    """``fail_fast``: the first that fails has all that have not ended cancelled.

    ``reduce`` is queued once all have ended and none was cancelled, with what they left as files
    beneath ``/in``. Its idempotency key says what it is, less what they left.
    """

    fail_fast: bool = False
    reduce: EvaluationSpec | None = None
