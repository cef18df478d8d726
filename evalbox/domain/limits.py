"""What one attempt may use. Every limit is finite, and none may be 0."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields

from evalbox.domain.quantity import format_size
from evalbox.errors import InvalidInput

KIB, MIB, GIB, TIB = 1 << 10, 1 << 20, 1 << 30, 1 << 40
HOUR, DAY = 3600.0, 86400.0


@dataclass(frozen=True, slots=True)
class Limits:
    """What one attempt may use.

    ``cpus`` is in cores (fractions allowed), sizes in bytes, ``timeout`` in seconds of wall time.
    """

    cpus: float = 1.0
    memory: int = 512 * MIB
    timeout: float = 600.0
    disk: int = 1 * GIB
    pids: int = 256
    output: int = 16 * MIB
    artifacts: int = 256 * MIB

    def __post_init__(self) -> None:
        for item in fields(self):
            low, high, unit = BOUNDS[item.name]
            _check(item.name, getattr(self, item.name), low, high, unit)


#: Smallest and largest value of each limit, and its unit. gVisor's own kernel needs about 16 MiB
#: of the memory limit, and a shell and an interpreter the rest of the smallest value.
BOUNDS: dict[str, tuple[float, float, str]] = {
    "cpus": (0.01, 4096, "cores"),
    "memory": (32 * MIB, 64 * TIB, "bytes"),
    "timeout": (0.1, 30 * 86400.0, "seconds"),
    "disk": (1 * MIB, 64 * TIB, "bytes"),
    "pids": (8, 1_000_000, "processes"),
    "output": (1 * KIB, 1 * TIB, "bytes"),
    "artifacts": (1 * KIB, 1 * TIB, "bytes"),
}


def _check(name: str, value: object, low: float, high: float, unit: str) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise InvalidInput(f"limit {name}: {value!r} is not a number", field=name)
    if not math.isfinite(value):
        raise InvalidInput(f"limit {name}: {value} is not finite", field=name)
    if not low <= value <= high:
        raise InvalidInput(
            f"limit {name}: {value:g} is out of range",
            hint=f"give between {_say(low, unit)} and {_say(high, unit)}",
            field=name,
        )


def _say(value: float, unit: str) -> str:
    return format_size(value) if unit == "bytes" else f"{value:,.12g} {unit}"
