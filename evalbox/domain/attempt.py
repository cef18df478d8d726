"""One try at an evaluation, in one fresh sandbox."""

from __future__ import annotations

from dataclasses import dataclass, field

from evalbox.domain.outcome import Outcome
from evalbox.domain.score import Score


@dataclass(frozen=True, slots=True)
class Usage:
    """What a sandbox has used so far: totals and peaks.

    ``cpu_seconds`` in core-seconds, memory and disk in bytes, ``pids`` as the host counts them,
    input and output of block devices in bytes.
    """

    cpu_seconds: float = 0.0
    memory: int = 0
    memory_peak: int = 0
    pids: int = 0
    disk: int = 0
    read_bytes: int = 0
    written_bytes: int = 0


@dataclass(frozen=True, slots=True)
class Verdict:
    """How an attempt ended, and why, in words. ``exit_code`` is None where nothing exited.

    ``error`` is the line of its output that tells best what went wrong, cleaned of what a terminal
    would obey; empty where nothing went wrong or nothing was said.
    """

    outcome: Outcome
    exit_code: int | None = None
    signal: int | None = None
    reason: str = ""
    oom_killed: bool = False
    error: str = ""
    score: Score | None = None


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try. Times are seconds since 1970; ``number`` counts from 1 and is its fencing token.

    ``warm`` says whether its sandbox was started beforehand. ``output_bytes`` counts what is kept
    of standard output and error together, ``truncated`` that more came than was kept.
    """

    evaluation_id: str
    number: int
    claimed_at: float
    engine: str
    sandbox_id: str | None = None
    image_digest: str | None = None
    warm: bool | None = None
    started_at: float | None = None
    first_output_at: float | None = None
    finished_at: float | None = None
    verdict: Verdict | None = None
    usage: Usage = field(default_factory=Usage)
    output_bytes: int = 0
    truncated: bool = False
