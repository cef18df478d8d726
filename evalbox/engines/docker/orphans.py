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
from pathlib import Path

_CONTAINER_ID = re.compile(r"(?<![0-9a-f])[0-9a-f]{64}(?![0-9a-f])")
#: Where the system's Docker keeps the state of its runtimes. Another one's is elsewhere.
_STATE = re.compile(r"--root=(/var)?/run/docker/runtime-[^/]+/moby")


@dataclass(frozen=True, slots=True)
class Process:
    """A process of this host that serves a container; ``age`` in seconds.

    ``gvisor``: of gVisor, started by this host's Docker and not by one within a container.
    """

    pid: int
    container: str
    age: float
    gvisor: bool


def serving() -> list[Process]:
    """Every process that serves a container, as far as this user can see."""
    import psutil

    now = time.time()
    found: list[Process] = []
    for process in psutil.process_iter(["cmdline", "create_time"]):
        words: list[str] = process.info["cmdline"] or []
        name = words[0].rpartition("/")[2] if words else ""
        if not name.startswith(("runsc", "containerd-shim")):
            continue
        gvisor = any(map(_STATE.fullmatch, words))
        age = now - (process.info["create_time"] or now)
        for container in {match for word in words for match in _CONTAINER_ID.findall(word)}:
            own = gvisor and _within(process.pid) <= {container}
            found.append(Process(process.pid, container, age, own))
    return found


def _within(pid: int) -> set[str]:
    """The containers whose control groups a process is in: two, for one of Docker in Docker."""
    try:
        return set(_CONTAINER_ID.findall(Path(f"/proc/{pid}/cgroup").read_text()))
    except OSError:
        return {"unknown"}


def kill(processes: Iterable[Process]) -> None:
    """Kills them, where this user may."""
    import psutil

    for process in processes:
        with suppress(psutil.Error, OSError):
            psutil.Process(process.pid).kill()
