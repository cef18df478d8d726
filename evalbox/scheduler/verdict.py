"""From how a sandbox ended to what is said of the attempt. Pure."""

from __future__ import annotations

import signal

from evalbox.domain.attempt import Usage, Verdict
from evalbox.domain.limits import Limits
from evalbox.domain.outcome import Outcome
from evalbox.domain.quantity import format_duration, format_size
from evalbox.engines.base import Exit

#: A task that fails while its disk is this full has failed because of it: the last write that did
#: not fit is not counted as used.
_DISK_FULL = 0.95

_BY_CONVENTION = {
    126: "exit status 126 (the command cannot be executed)",
    127: "exit status 127 (command not found)",
}


def decide(cause: Outcome | None, ended: Exit | None, limits: Limits, usage: Usage) -> Verdict:
    """The verdict on an attempt.

    ``cause`` is why the box itself ended the sandbox, if it did; ``ended`` how the sandbox says
    that it ended, if it can still say.
    """
    if cause is not None:
        return Verdict(
            cause,
            exit_code=None,
            reason=_why_stopped(cause, limits),
            oom_killed=bool(ended and ended.oom_killed),
        )
    if ended is None:
        return Verdict(Outcome.INFRA_ERROR, reason="the sandbox vanished")
    if ended.oom_killed:
        peak = f" (peak {format_size(usage.memory_peak)})" if usage.memory_peak else ""
        return Verdict(
            Outcome.OUT_OF_MEMORY,
            ended.code,
            reason=f"used more than its {format_size(limits.memory)} of memory{peak}",
            oom_killed=True,
        )
    if ended.code is None or ended.error:
        return Verdict(
            Outcome.INFRA_ERROR, ended.code, reason=ended.error or "the engine gave no exit status"
        )
    if ended.code == 0:
        return Verdict(Outcome.OK, 0)
    if usage.disk >= limits.disk * _DISK_FULL:
        return Verdict(
            Outcome.DISK_LIMIT, ended.code, reason=_why_stopped(Outcome.DISK_LIMIT, limits)
        )
    return _failure(ended)


def _failure(ended: Exit) -> Verdict:
    code = ended.code
    if code is None:  # pragma: no cover - decide() has dealt with it
        return Verdict(Outcome.INFRA_ERROR)
    if ended.signal is not None:
        return Verdict(Outcome.KILLED, code, ended.signal, f"killed by {signal_name(ended.signal)}")
    name = signal_name(code - 128)
    if name:
        # A container tells both as 128 + n, so both are said.
        return Verdict(
            Outcome.KILLED,
            code,
            code - 128,
            f"exit status {code}: killed by {name}, or the program's own choice of status",
        )
    return Verdict(Outcome.FAILED, code, reason=_BY_CONVENTION.get(code, f"exit status {code}"))


def signal_name(number: int) -> str:
    """``SIGKILL`` for 9; empty for what is no signal that ends a process."""
    if number <= 0 or number in (signal.SIGCHLD, signal.SIGCONT, signal.SIGWINCH, signal.SIGURG):
        return ""
    try:
        return signal.Signals(number).name
    except ValueError:
        return ""


def _why_stopped(cause: Outcome, limits: Limits) -> str:
    match cause:
        case Outcome.TIMEOUT:
            return f"ran longer than its {format_duration(limits.timeout)}"
        case Outcome.OUTPUT_LIMIT:
            return f"printed more than its {format_size(limits.output)}"
        case Outcome.DISK_LIMIT:
            return f"wrote more than its {format_size(limits.disk)} of disk"
        case Outcome.CANCELLED:
            return "cancelled"
        case _:
            return ""
