"""Whether the host has room for one more evaluation, and if not, why, in words."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from evalbox.config.settings import Settings
from evalbox.domain.limits import Limits
from evalbox.domain.quantity import format_size

#: Sums of fractions of cores are not exact.
CPU_SLACK = 1e-6


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


def admit(
    host: HostState,
    running: Iterable[Limits],
    slots: int,
    settings: Settings,
    *,
    residents: Iterable[Limits] = (),
) -> Budget:
    """What may be started beside what is ``running`` in slots, and the ``residents`` in none.

    Limits are promises: their sum is bounded by the host's size times the overcommit. An empty
    pool admits one evaluation of any size, so that one larger than that runs too, by itself.
    """
    held = tuple(running)
    others = tuple(residents)
    free_slots = slots - len(held)
    if free_slots <= 0:
        return Budget(0, 0.0, 0, f"all {slots} slots are taken")
    reason = _pressure(host, settings)
    if reason:
        return Budget(0, 0.0, 0, f"holding: {reason}")
    if not held and not others:
        return Budget(1, math.inf, 1 << 62)
    cpus, memory = _free(host, (*held, *others), settings)
    return Budget(free_slots, max(0.0, cpus), max(0, memory))


def no_room(host: HostState, promised: Iterable[Limits], wanted: Limits, settings: Settings) -> str:
    """Why there is no room for a resident beside what is ``promised``, or empty where there is."""
    held = tuple(promised)
    reason = _pressure(host, settings)
    if reason or not held:
        return reason
    cpus, memory = _free(host, held, settings)
    if wanted.cpus > cpus + CPU_SLACK:
        return f"{wanted.cpus:g} cores are asked for, {max(0.0, cpus):g} are not promised"
    if wanted.memory > memory:
        free = format_size(max(0, memory))
        return f"{format_size(wanted.memory)} of memory are asked for, {free} are not promised"
    return ""


def _free(host: HostState, held: Iterable[Limits], settings: Settings) -> tuple[float, int]:
    """Cores and bytes that are not promised to anybody; below 0 where too much is."""
    promised = tuple(held)
    cpus = host.cores * settings.cpu_overcommit - sum(limits.cpus for limits in promised)
    memory = int(host.memory_total * settings.memory_overcommit)
    return cpus, memory - sum(limits.memory for limits in promised)


def _pressure(host: HostState, settings: Settings) -> str:
    if host.memory_percent > settings.memory_percent:
        return f"memory {host.memory_percent:.0f} % > {settings.memory_percent:.0f} %"
    if host.disk_free < settings.disk_free:
        return f"disk {format_size(host.disk_free)} free < {format_size(settings.disk_free)}"
    load = host.load / max(1, host.cores)
    if load > settings.load_per_core:
        return f"load per core {load:.1f} > {settings.load_per_core:.1f}"
    return ""
