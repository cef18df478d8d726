"""Whether the host has room for one more evaluation, and if not, why, in words."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from evalbox.config.settings import Settings
from evalbox.domain.limits import Limits
from evalbox.domain.quantity import format_size


@dataclass(frozen=True, slots=True)
class HostState:
    """What admission looks at. ``memory_total`` and ``disk_free`` in bytes, ``load`` of 1 min."""

    cores: int
    memory_total: int
    memory_percent: float
    disk_free: int
    load: float


@dataclass(frozen=True, slots=True)
class Budget:
    """What may be claimed now. ``holding`` is empty, or says why nothing may."""

    slots: int
    cpus: float
    memory: int
    holding: str = ""


def admit(host: HostState, running: Iterable[Limits], slots: int, settings: Settings) -> Budget:
    """What may be started beside what is ``running``.

    Limits are promises: their sum is bounded by the host's size times the overcommit. An empty
    pool admits one evaluation of any size, so that one larger than that runs too, by itself.
    """
    held = tuple(running)
    free_slots = slots - len(held)
    if free_slots <= 0:
        return Budget(0, 0.0, 0, f"all {slots} slots are taken")
    reason = _pressure(host, settings)
    if reason:
        return Budget(0, 0.0, 0, f"holding: {reason}")
    if not held:
        return Budget(1, math.inf, 1 << 62)
    cpus = host.cores * settings.cpu_overcommit - sum(limits.cpus for limits in held)
    memory = int(host.memory_total * settings.memory_overcommit) - sum(
        limits.memory for limits in held
    )
    return Budget(free_slots, max(0.0, cpus), max(0, memory))


def _pressure(host: HostState, settings: Settings) -> str:
    if host.memory_percent > settings.memory_percent:
        return f"memory {host.memory_percent:.0f} % > {settings.memory_percent:.0f} %"
    if host.disk_free < settings.disk_free:
        return f"disk {format_size(host.disk_free)} free < {format_size(settings.disk_free)}"
    load = host.load / max(1, host.cores)
    if load > settings.load_per_core:
        return f"load per core {load:.1f} > {settings.load_per_core:.1f}"
    return ""
