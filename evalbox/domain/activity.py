"""What an attempt under way is at."""

from __future__ import annotations

from dataclasses import dataclass

from evalbox.domain.limits import Limits


@dataclass(frozen=True, slots=True)
class Activity:
    """Times are seconds since 1970, sizes bytes.

    ``phase`` says in words what it does ("waiting for the engine", "running", "keeping artifacts")
    since ``since``. ``cpu`` is cores in use, over the last second or so; it and the sizes are None
    before they have been measured. ``last_output_at`` is None before its first output.
    """

    evaluation_id: str
    attempt: int
    phase: str
    since: float
    limits: Limits
    cpu: float | None = None
    memory: int | None = None
    disk: int | None = None
    pids: int | None = None
    output_bytes: int = 0
    last_output_at: float | None = None
