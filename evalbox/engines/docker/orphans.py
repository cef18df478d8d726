"""Processes of gVisor that no container owns any more.

A start that fails leaks a ``runsc-sandbox``, a ``runsc-gofer`` and a shim, which the engine's
listing does not show and which can burn a core for ever.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass

_CONTAINER_ID = re.compile(r"(?<![0-9a-f])[0-9a-f]{64}(?![0-9a-f])")
_NAMES = ("runsc", "exe", "containerd-shim")
#: Docker's name for its own containers within containerd and the runtimes.
_NAMESPACE = "moby"


@dataclass(frozen=True, slots=True)
class Process:
    """A process of this host that serves one of Docker's containers; ``age`` in seconds."""

    pid: int
    container: str
    age: float


def serving() -> list[Process]:
    """Every process that serves a container of Docker, as far as this user can see."""
    import psutil

    now = time.time()
    found: list[Process] = []
    for process in psutil.process_iter(["name", "cmdline", "create_time"]):
        words = process.info["cmdline"] or []
        name = process.info["name"] or ""
        if not name.startswith(_NAMES) or not any(_NAMESPACE in word for word in words):
            continue
        if ids := {match for word in words for match in _CONTAINER_ID.findall(word)}:
            age = now - (process.info["create_time"] or now)
            found.extend(Process(process.pid, container, age) for container in ids)
    return found


def kill(processes: Iterable[Process]) -> int:
    """Kills them, where this user may; returns how many."""
    import psutil

    killed = 0
    for process in processes:
        with suppress(psutil.Error, OSError):
            psutil.Process(process.pid).kill()
            killed += 1
    return killed
