"""What the host is busy with, at one moment."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class HostSample:
    """The host at ``at``, in seconds since 1970.

    Percentages are of the time since the last sample, from 0 to 100: ``cpu`` of all cores
    together, ``cores`` of each. Sizes are in bytes; ``memory_used`` is what is not available, and
    ``disk`` is the file system of the data directory. ``load`` is the average over 1, 5 and 15
    minutes; rates are in bytes a second; ``uptime`` is in seconds.
    """

    at: float
    cpu: float
    cores: tuple[float, ...]
    memory_total: int
    memory_used: int
    swap_total: int
    swap_used: int
    disk_total: int
    disk_used: int
    disk_free: int
    load: tuple[float, float, float]
    received_rate: float
    sent_rate: float
    uptime: float

    @property
    def memory_percent(self) -> float:
        return 100.0 * self.memory_used / self.memory_total if self.memory_total else 0.0

    @property
    def memory_available(self) -> int:
        return self.memory_total - self.memory_used


@dataclass(frozen=True, slots=True)
class HostReport:
    """The machine of a box, and how much of it the box has in use.

    ``running`` counts the attempts under way, ``warm`` the sandboxes that wait for one; ``latest``
    is None where nothing measures the host, ``history`` is oldest first.
    """

    version: str
    box: str
    engine: str
    slots: int
    running: int
    warm: int
    latest: HostSample | None = None
    history: tuple[HostSample, ...] = ()
