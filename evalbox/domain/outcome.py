"""How an attempt ended: one closed list."""

from __future__ import annotations

from enum import StrEnum


class Outcome(StrEnum):
    """How an attempt ended. Only ``infra_error`` is evalbox's own fault."""

    OK = "ok"
    FAILED = "failed"
    TIMEOUT = "timeout"
    OUT_OF_MEMORY = "out_of_memory"
    OUTPUT_LIMIT = "output_limit"
    DISK_LIMIT = "disk_limit"
    KILLED = "killed"
    CANCELLED = "cancelled"
    TASK_ERROR = "task_error"
    INFRA_ERROR = "infra_error"


#: What a user's own retries apply to. Infra errors have a budget of their own, and a broken task
#: stays broken however often it is tried.
RETRYABLE = frozenset(
    {
        Outcome.FAILED,
        Outcome.TIMEOUT,
        Outcome.OUT_OF_MEMORY,
        Outcome.OUTPUT_LIMIT,
        Outcome.DISK_LIMIT,
        Outcome.KILLED,
    }
)
