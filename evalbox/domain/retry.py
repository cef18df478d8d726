"""When an evaluation is tried again, and how long that waits."""

from __future__ import annotations

import math
from dataclasses import dataclass

from evalbox.domain.outcome import RETRYABLE, Outcome
from evalbox.errors import InvalidInput

MAX_RETRIES = 1000


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How often an evaluation is tried again, and after what wait.

    ``retries`` is how many more attempts the task's own failures get (default none), and
    ``infra_retries`` how many the box's failures get before the evaluation is dead. The wait grows
    from ``base`` seconds by ``factor`` each time up to ``cap`` seconds, the half of it at random,
    so that what failed together does not come back together.
    """

    retries: int = 0
    infra_retries: int = 3
    base: float = 1.0
    factor: float = 2.0
    cap: float = 300.0

    def __post_init__(self) -> None:
        for name in ("retries", "infra_retries"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int):
                raise InvalidInput(f"{name}: {value!r} is not a whole number", field=name)
            if not 0 <= value <= MAX_RETRIES:
                raise InvalidInput(
                    f"{name}: {value} is out of range",
                    hint=f"give between 0 and {MAX_RETRIES}",
                    field=name,
                )
        for name, low in (("base", 0.0), ("factor", 1.0), ("cap", 0.0)):
            value = getattr(self, name)
            if not math.isfinite(value) or value < low:
                raise InvalidInput(f"{name}: {value} is out of range", field=name)

    def allows(self, outcome: Outcome, *, failures: int, infra_failures: int) -> bool:
        """Whether another attempt follows one that ended with ``outcome``.

        ``failures`` and ``infra_failures`` count the attempts so far, this one included, that ended
        through the task's fault and through the box's.
        """
        if outcome is Outcome.INFRA_ERROR:
            return infra_failures <= self.infra_retries
        return outcome in RETRYABLE and failures <= self.retries

    def delay(self, failure: int, *, chance: float) -> float:
        """Seconds to wait after the ``failure``-th failure (from 1); ``chance`` is in [0, 1)."""
        exponent = min(failure - 1, 64)
        whole = min(self.cap, self.base * self.factor**exponent)
        return whole / 2 + whole / 2 * chance
