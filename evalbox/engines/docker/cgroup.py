"""What a sandbox uses, read from its control group: no call to the engine, 0.1 ms a reading."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from evalbox.domain.attempt import Usage

MOUNTS = Path("/proc/self/mountinfo")


class Meter(Protocol):
    def read(self) -> Usage | None:
        """Without ``disk``; None once the control group has gone."""
        ...

    def oom_kills(self) -> int:
        """How often the kernel has killed for want of memory; 0 once the group has gone."""
        ...


def meter_of(pid: int, container: str) -> Meter | None:
    """The meter of a container's control group, which its process ``pid`` on this host is in.

    None where that cannot be read: the engine runs elsewhere, or the process has gone.
    """
    try:
        groups = parse_groups(Path(f"/proc/{pid}/cgroup").read_text())
        mounts = parse_mounts(MOUNTS.read_text())
    except OSError:
        return None
    own = {name: path for name, path in groups.items() if container in path}
    found = meter(own, mounts)
    return found if found is not None and found.read() is not None else None


def meter(groups: Mapping[str, str], mounts: Mapping[str, str]) -> Meter | None:
    """``groups`` and ``mounts`` by controller; the unified hierarchy has the empty name."""
    paths = {name: Path(mounts[name] + path) for name, path in groups.items() if name in mounts}
    if "memory" in paths:
        return MeterV1(paths["memory"], *(paths.get(name) for name in ("cpuacct", "pids", "blkio")))
    return MeterV2(paths[""]) if "" in paths else None


def parse_groups(text: str) -> dict[str, str]:
    """A process's groups by controller, from its file ``cgroup``."""
    groups: dict[str, str] = {}
    for line in text.splitlines():
        _, controllers, path = line.split(":", 2)
        groups |= dict.fromkeys(controllers.split(","), path)
    return groups


def parse_mounts(text: str) -> dict[str, str]:
    """The hierarchies' mount points by controller, from a file ``mountinfo``."""
    mounts: dict[str, str] = {}
    for line in text.splitlines():
        before, _, after = line.partition(" - ")
        kind, _, options = after.split(" ", 2)
        point = before.split()[4]
        if kind == "cgroup2":
            mounts[""] = point
        elif kind == "cgroup":
            for option in options.split(","):
                mounts.setdefault(option, point)
    return mounts


@dataclass(frozen=True, slots=True)
class MeterV1:
    memory: Path
    cpuacct: Path | None = None
    pids: Path | None = None
    blkio: Path | None = None

    def read(self) -> Usage | None:
        try:
            memory = _number(self.memory / "memory.usage_in_bytes")
            peak = _number(self.memory / "memory.max_usage_in_bytes")
            cpu = _number(self.cpuacct / "cpuacct.usage") if self.cpuacct else 0
            pids = _number(self.pids / "pids.current") if self.pids else 0
            moved = self._moved()
        except (OSError, ValueError):
            return None
        return Usage(cpu / 1e9, memory, peak, pids, 0, moved["Read"], moved["Write"])

    def oom_kills(self) -> int:
        return _oom_kills(self.memory / "memory.oom_control")

    def _moved(self) -> dict[str, int]:
        moved = {"Read": 0, "Write": 0}
        if self.blkio is None:
            return moved
        for line in (self.blkio / "blkio.throttle.io_service_bytes").read_text().splitlines():
            match line.split():
                case [_, "Read" | "Write" as direction, count]:
                    moved[direction] += int(count)
        return moved


@dataclass(slots=True)
class MeterV2:
    """Kernels before 5.19 keep no peak of memory: there it is the largest reading."""

    group: Path
    _peak: int = 0

    def read(self) -> Usage | None:
        try:
            memory = _number(self.group / "memory.current")
            pids = _number(self.group / "pids.current")
            cpu = _pairs((self.group / "cpu.stat").read_text().split())["usage_usec"]
            moved = (self.group / "io.stat").read_text().split()
        except (OSError, ValueError, KeyError):
            return None
        try:
            peak = _number(self.group / "memory.peak")
        except (OSError, ValueError):
            peak = memory
        self._peak = max(self._peak, peak, memory)
        read, written = (_total(moved, name) for name in ("rbytes=", "wbytes="))
        return Usage(cpu / 1e6, memory, self._peak, pids, 0, read, written)

    def oom_kills(self) -> int:
        return _oom_kills(self.group / "memory.events")


def _oom_kills(path: Path) -> int:
    try:
        return _pairs(path.read_text().split()).get("oom_kill", 0)
    except (OSError, ValueError):
        return 0


def _number(path: Path) -> int:
    return int(path.read_text())


def _pairs(words: list[str]) -> dict[str, int]:
    return dict(zip(words[::2], map(int, words[1::2]), strict=False))


def _total(words: list[str], prefix: str) -> int:
    return sum(int(word[len(prefix) :]) for word in words if word.startswith(prefix))
