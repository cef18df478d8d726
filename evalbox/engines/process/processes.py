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


def find(sandbox_id: str, session: int | None = None) -> list[int]:
    """The processes of a sandbox that are alive."""
    return [pid for pid in _pids() if _belongs(pid, sandbox_id, session)]


def kill_all(sandbox_id: str, session: int | None = None) -> bool:
    """Kills them, and what they beget meanwhile. False where some were still there at last."""
    until = time.monotonic() + PATIENCE
    while pids := find(sandbox_id, session):
        if time.monotonic() > until:
            return False
        # Stopped first, so that they do not multiply while the next is being killed.
        for how in (signal.SIGSTOP, signal.SIGKILL):
            for pid in pids:
                _send(pid, how, sandbox_id, session)
        time.sleep(0.002)
    return True


def measure(pids: list[int]) -> Usage:
    """What these processes and those they have waited for use. ``disk`` is left out."""
    cpu, memory, threads, read, written = 0.0, 0, 0, 0, 0
    for pid in pids:
        with contextlib.suppress(psutil.Error, OSError):
            process = psutil.Process(pid)
            with process.oneshot():
                cpu += sum(process.cpu_times()[:4])
                memory += process.memory_info().rss
                threads += process.num_threads()
                transfer = process.io_counters()
                read += transfer.read_bytes
                written += transfer.write_bytes
    return Usage(
        cpu_seconds=cpu,
        memory=memory,
        memory_peak=memory,
        pids=threads,
        read_bytes=read,
        written_bytes=written,
    )


def proportional_memory(pids: list[int]) -> int:
    """Bytes, with each shared page counted once. Takes about a millisecond for each process."""
    total = 0
    for pid in pids:
        with contextlib.suppress(psutil.Error, OSError):
            total += psutil.Process(pid).memory_full_info().pss
    return total


def _pids() -> list[int]:
    return [int(name) for name in os.listdir(_PROC) if name.isdigit()]  # noqa: PTH208


def _environ(pid: int) -> bytes:
    """Empty for what is not ours, has ended, or is the kernel's."""
    try:
        return (_PROC / str(pid) / "environ").read_bytes()
    except OSError:
        return b""


def _belongs(pid: int, sandbox_id: str, session: int | None) -> bool:
    environ = _environ(pid)
    if f"{MARK}={sandbox_id}".encode() in environ.split(b"\0"):
        return True
    try:
        return session is not None and os.getsid(pid) == session and not _ended(pid)
    except OSError:
        return False


def _ended(pid: int) -> bool:
    # Nothing but the name, which is in brackets and may hold anything, comes before the state.
    status = (_PROC / str(pid) / "stat").read_text(errors="replace")
    return status.rpartition(")")[2].split()[0] in {"Z", "X"}


def _send(pid: int, how: signal.Signals, sandbox_id: str, session: int | None) -> None:
    # Held by a descriptor and looked at again, a number that was given to another process
    # meanwhile is never hit.
    with contextlib.suppress(OSError):
        descriptor = os.pidfd_open(pid)
        try:
            if _belongs(pid, sandbox_id, session):
                signal.pidfd_send_signal(descriptor, how)
        finally:
            os.close(descriptor)
