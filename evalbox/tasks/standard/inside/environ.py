"""Keeps the sandbox's variables, secrets among them, from the other users in it.

Under gVisor everybody may read ``/proc/PID/environ``, whoever has the process. This program wipes
its own, and operations get their variables otherwise than by their ``execve``.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path


def hide_environment() -> None:
    """Wipes what others see of it; ``os.environ`` has a copy of its own and stays."""
    found = ctypes.POINTER(ctypes.c_void_p).in_dll(ctypes.CDLL(None), "environ")
    at = 0
    while address := found[at]:
        ctypes.memset(address, 0, len(ctypes.string_at(address)))
        at += 1


def exposing(variables: Mapping[str, str]) -> dict[int, str]:
    """Processes that began with one of the variables, each with the name of one."""
    wanted = {f"{name}={value}".encode(): name for name, value in variables.items()}
    found = {}
    for pid in filter(str.isdigit, os.listdir("/proc")):
        with suppress(OSError):
            for one in Path("/proc", pid, "environ").read_bytes().split(b"\0"):
                if one in wanted:
                    found[int(pid)] = wanted[one]
    return found
