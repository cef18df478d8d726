"""The processes that belong to a sandbox: found, measured, killed.

They are told by a variable in their environment, which children inherit also when they leave the
process group or their parent ends, or by the session that the first of them leads. A process that
hides from both gets away: nothing short of a container holds it.
"""

from __future__ import annotations

import contextlib
import os
import signal
import time
from dataclasses import replace
from pathlib import Path

import psutil

from evalbox.domain.attempt import Usage

MARK = "EVALBOX_SANDBOX"
#: Seconds that killing goes on for; a fork bomb takes several rounds.
PATIENCE = 4.0
_PROC = Path("/proc")


def mark_of(pid: int) -> str | None:
    """The id of the sandbox that a process is marked with."""
    prefix = f"{MARK}=".encode()
    for variable in _environ(pid).split(b"\0"):
        if variable.startswith(prefix):
            return variable[len(prefix) :].decode(errors="replace")
    return None


def marked() -> set[str]:
    """The ids of all sandboxes that have processes."""
    marks = {mark_of(pid) for pid in _pids()}
    return {mark for mark in marks if mark is not None}


def find(mark: str, session: int | None = None, name: str = MARK) -> list[int]:
    """The processes that are alive and bear ``mark``, in the variable ``name``."""
    return [pid for pid in _pids() if _belongs(pid, f"{name}={mark}", session)]


def kill_all(mark: str, session: int | None = None, name: str = MARK) -> bool:
    """Kills them, and what they beget meanwhile. False where some were still there at last."""
    until = time.monotonic() + PATIENCE
    # Looked for once more after the last: while a process becomes another program, its environment
    # is empty for a moment.
    for _ in range(2):
        while pids := find(mark, session, name):
            if time.monotonic() > until:
                return False
            # Stopped first, so that they do not multiply while the next is being killed.
            for how in (signal.SIGSTOP, signal.SIGKILL):
                for pid in pids:
                    _send(pid, how, f"{name}={mark}", session)
            time.sleep(0.002)
        time.sleep(0.001)
    return True


def measure(sandbox_id: str, session: int, memory_limit: int) -> Usage:
    """What they, and those they have waited for, use now. ``disk`` is left out."""
    pids = find(sandbox_id, session)
    total = Usage()
    for pid in pids:
        with contextlib.suppress(psutil.Error, OSError, ValueError):
            total = _plus(total, _one(pid))
    if total.memory > memory_limit:
        # Shared pages were counted for each process. To tell better takes longer.
        memory = sum(_proportional_memory(pid) for pid in pids)
        total = replace(total, memory=memory, memory_peak=min(total.memory_peak, memory))
    return total


def _one(pid: int) -> Usage:
    process = psutil.Process(pid)
    with process.oneshot():
        memory = process.memory_info().rss
        transfer = process.io_counters()
        return Usage(
            cpu_seconds=sum(process.cpu_times()[:4]),
            memory=memory,
            memory_peak=max(memory, _high_water(pid)),
            pids=process.num_threads(),
            read_bytes=transfer.read_bytes,
            written_bytes=transfer.write_bytes,
        )


def _plus(one: Usage, other: Usage) -> Usage:
    memory = one.memory + other.memory
    return Usage(
        cpu_seconds=one.cpu_seconds + other.cpu_seconds,
        memory=memory,
        # Peaks of different times do not add up.
        memory_peak=max(memory, one.memory_peak, other.memory_peak),
        pids=one.pids + other.pids,
        read_bytes=one.read_bytes + other.read_bytes,
        written_bytes=one.written_bytes + other.written_bytes,
    )


def _high_water(pid: int) -> int:
    # Not the kernel's account at the end: that begins with the memory of who started the process.
    for line in (_PROC / str(pid) / "status").read_text(errors="replace").splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    return 0


def _proportional_memory(pid: int) -> int:
    with contextlib.suppress(psutil.Error, OSError):
        return int(psutil.Process(pid).memory_full_info().pss)
    return 0


def _pids() -> list[int]:
    return [int(name) for name in os.listdir(_PROC) if name.isdigit()]  # noqa: PTH208


def _environ(pid: int) -> bytes:
    """Empty for what is not ours, has ended, or is the kernel's."""
    try:
        return (_PROC / str(pid) / "environ").read_bytes()
    except OSError:
        return b""


def _belongs(pid: int, variable: str, session: int | None) -> bool:
    if variable.encode() in _environ(pid).split(b"\0"):
        return True
    try:
        return session is not None and os.getsid(pid) == session and not _ended(pid)
    except OSError:
        return False


def _ended(pid: int) -> bool:
    # Nothing but the name, which is in brackets and may hold anything, comes before the state.
    status = (_PROC / str(pid) / "stat").read_text(errors="replace")
    return status.rpartition(")")[2].split()[0] in {"Z", "X"}


def _send(pid: int, how: signal.Signals, variable: str, session: int | None) -> None:
    # Held by a descriptor and looked at again, a number that was given to another process
    # meanwhile is never hit.
    with contextlib.suppress(OSError):
        descriptor = os.pidfd_open(pid)
        try:
            if _belongs(pid, variable, session):
                signal.pidfd_send_signal(descriptor, how)
        finally:
            os.close(descriptor)
