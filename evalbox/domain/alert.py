"""What the box wants a person to know: a condition that lasts, told once, and once when it is over.

``Condition`` keeps an alert from flapping; it knows nothing of what it watches.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Severity(StrEnum):
    """As PagerDuty names them, the worst first."""

    CRITICAL = "critical"
    ERROR = "error"
    WARNING = "warning"
    INFO = "info"


@dataclass(frozen=True, slots=True)
class Alert:
    """``key`` names the condition, as in ``engine:gvisor``: of one key one alert is raised at most.

    ``raised_at`` is in seconds since 1970.
    """

    key: str
    severity: Severity
    text: str
    raised_at: float


@dataclass(frozen=True, slots=True)
class Finding:
    """A condition that is true now. It is an alert once it has lasted for ``after`` seconds."""

    key: str
    severity: Severity
    text: str
    after: float = 0.0


class Condition:
    """Whether one condition is an alert, from findings of whether it is true.

    ``raised``: it is one already, as after a restart. It is over when it has not been true for
    ``calm`` seconds.
    """

    def __init__(self, *, raised: bool, calm: float) -> None:
        self.raised = raised
        self._calm = calm
        self._true_since: float | None = None
        self._false_since: float | None = None

    def look(self, finding: Finding | None, now: float) -> bool | None:
        """True where the alert is to be raised now, False where resolved, None for neither.

        ``now`` is monotonic. What is told is for the caller to do, and to set ``raised`` then.
        """
        if finding is None:
            self._true_since = None
            self._false_since = now if self._false_since is None else self._false_since
            return False if self.raised and now - self._false_since >= self._calm else None
        self._false_since = None
        self._true_since = now if self._true_since is None else self._true_since
        return True if not self.raised and now - self._true_since >= finding.after else None
