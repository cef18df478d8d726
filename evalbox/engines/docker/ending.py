"""The end of a process of this host that is not our child: brought about, and told."""

from __future__ import annotations

import fcntl
import os
import signal
import struct
from contextlib import suppress
from pathlib import Path

#: ``PIDFD_GET_INFO`` of Linux, which tells the status of what its parent has waited for from 6.15.
_GET_INFO = 0xC040FF0B
_SIZE, _MASK_AT, _STATUS_AT = 64, 0, 60
_EXIT = 1 << 3
#: Where the status is in ``/proc/PID/stat``, counted from the state, while nobody has waited.
_STATUS_FIELD = 49


def kill(pid: int, container: str) -> bool:
    """Kills the process, at once; False where it does not serve the container, or is not ours."""
    try:
        handle = os.pidfd_open(pid)
    except OSError:
        return False
    try:
        # Looked at behind the handle: process ids are used again.
        if container.encode() not in Path(f"/proc/{pid}/cmdline").read_bytes():
            return False
        signal.pidfd_send_signal(handle, signal.SIGKILL)
    except OSError:
        return False
    finally:
        os.close(handle)
    return True


def killed_by(pid: int, handle: int) -> int | None:
    """The signal that ended the process behind a pidfd; None where none did, or nobody can tell."""
    # In this order: whoever waits for it meanwhile takes the zombie away.
    status = _told_by_zombie(pid, handle)
    if status is None:
        status = _told_by_handle(handle)
    return os.WTERMSIG(status) if status is not None and os.WIFSIGNALED(status) else None


def _told_by_handle(handle: int) -> int | None:
    info = bytearray(_SIZE)
    struct.pack_into("=Q", info, _MASK_AT, _EXIT)
    with suppress(OSError):
        fcntl.ioctl(handle, _GET_INFO, info)
        if struct.unpack_from("=Q", info, _MASK_AT)[0] & _EXIT:
            return int(struct.unpack_from("=i", info, _STATUS_AT)[0])
    return None


def _told_by_zombie(pid: int, handle: int) -> int | None:
    with suppress(OSError, IndexError, ValueError):
        state, *fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        # Still there: so it was not another process of the same number.
        signal.pidfd_send_signal(handle, 0)
        if state == "Z":
            return int(fields[_STATUS_FIELD - 1])
    return None
