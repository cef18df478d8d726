"""What becomes of an evaluation after an attempt. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from evalbox.domain.evaluation import Evaluation
from evalbox.domain.outcome import RETRYABLE, Outcome
from evalbox.domain.state import State, final_state

#: How often the engine's being down costs an evaluation nothing. One that brings its engine down
#: each time must not be tried for ever.
FREE_PASSES = 10


@dataclass(frozen=True, slots=True)
class Following:
    """The next state; for ``queued``, not before a time in seconds since 1970 (None: at once).

    ``failures`` and ``infra_failures`` are the evaluation's new counts.
    """

    state: State
    not_before: float | None
    failures: int
    infra_failures: int


def queue_again(evaluation: Evaluation) -> Following:
    """As if the attempt had not been."""
    return Following(State.QUEUED, None, evaluation.failures, evaluation.infra_failures)


def following(
    evaluation: Evaluation, outcome: Outcome, now: float, *, chance: float, outage: bool
) -> Following:
    """After an attempt, the evaluation's newest, that ended with ``outcome``.

    With ``outage`` the engine was down, which costs none of its tries; ``chance`` is in [0, 1).
    """
    failures, infra_failures = evaluation.failures, evaluation.infra_failures
    policy = evaluation.spec.retry
    free_passes = max(1, evaluation.attempts - failures - infra_failures)
    if outage and free_passes <= FREE_PASSES:
        wait = policy.delay(free_passes, chance=chance)
        return Following(State.QUEUED, now + wait, failures, infra_failures)
    failures += outcome in RETRYABLE
    infra_failures += outcome is Outcome.INFRA_ERROR
    if policy.allows(outcome, failures=failures, infra_failures=infra_failures):
        count = infra_failures if outcome is Outcome.INFRA_ERROR else failures
        wait = policy.delay(count, chance=chance)
        return Following(State.QUEUED, now + wait, failures, infra_failures)
    return Following(final_state(outcome), None, failures, infra_failures)
