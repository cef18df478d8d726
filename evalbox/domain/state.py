"""The states of an evaluation, and the one place that says which changes are legal."""

from __future__ import annotations

from enum import StrEnum

from evalbox.domain.outcome import Outcome
from evalbox.errors import InvalidTransition


class State(StrEnum):
    QUEUED = "queued"
    STARTING = "starting"
    RUNNING = "running"
    SCORING = "scoring"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"
    DEAD = "dead"


#: An attempt is under way.
ACTIVE = frozenset({State.STARTING, State.RUNNING, State.SCORING})
#: Nothing more happens unless a user asks for it.
FINAL = frozenset({State.COMPLETED, State.FAILED, State.CANCELLED, State.DEAD})

_ENDS = frozenset({State.COMPLETED, State.FAILED, State.CANCELLED, State.DEAD, State.QUEUED})

_LEGAL: dict[State, frozenset[State]] = {
    State.QUEUED: frozenset({State.STARTING, State.CANCELLED}),
    State.STARTING: _ENDS | {State.RUNNING},
    State.RUNNING: _ENDS | {State.SCORING},
    State.SCORING: _ENDS,
    # Back to the queue only by a user's retry or requeue.
    State.COMPLETED: frozenset({State.QUEUED}),
    State.FAILED: frozenset({State.QUEUED}),
    State.CANCELLED: frozenset({State.QUEUED}),
    State.DEAD: frozenset({State.QUEUED}),
}


def may_become(old: State, new: State) -> bool:
    """Whether an evaluation in state ``old`` may go to ``new``."""
    return new in _LEGAL[old]


def check_transition(old: State, new: State) -> None:
    """Raises ``InvalidTransition`` where ``old`` must not become ``new``."""
    if not may_become(old, new):
        raise InvalidTransition(f"an evaluation that is {old} cannot become {new}")


def final_state(outcome: Outcome) -> State:
    """The state in which an evaluation ends whose last attempt ended with ``outcome``."""
    match outcome:
        case Outcome.OK:
            return State.COMPLETED
        case Outcome.CANCELLED:
            return State.CANCELLED
        case Outcome.INFRA_ERROR:
            return State.DEAD
        case _:
            return State.FAILED
