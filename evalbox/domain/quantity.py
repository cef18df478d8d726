"""Sizes and durations as people write them: ``512m``, ``1.5GiB``, ``90s``, ``1h30m``."""

from __future__ import annotations

import math
import re

from evalbox.errors import InvalidInput

_SIZE = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([kmgt]?)(?:i?b)?\s*", re.IGNORECASE)
_SIZE_UNITS = {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40}
_DURATION_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)")
_DURATION_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


def parse_size(text: str, *, field: str = "size") -> int:
    """Bytes. Units are powers of 1024, in either case, with or without ``B`` or ``iB``."""
    match = _SIZE.fullmatch(text)
    if match is None:
        raise InvalidInput(
            f"{field}: {text!r} is not a size", hint="write a size as 512m or 1.5g", field=field
        )
    count = float(match[1]) * _SIZE_UNITS[match[2].lower()]
    if not math.isfinite(count):
        raise InvalidInput(f"{field}: {text[:40]!r} is not a finite size", field=field)
    return int(count)


def parse_duration(text: str, *, field: str = "duration") -> float:
    """Seconds. A bare number is seconds; units may be strung together, as in ``1h30m``."""
    stripped = text.strip().lower()
    try:
        seconds = float(stripped)
    except ValueError:
        parts = _DURATION_PART.findall(stripped)
        if not parts or "".join(number + unit for number, unit in parts) != stripped:
            raise InvalidInput(
                f"{field}: {text!r} is not a duration",
                hint="write a duration as 90s, 10m or 1h30m",
                field=field,
            ) from None
        seconds = sum(float(number) * _DURATION_UNITS[unit] for number, unit in parts)
    if not math.isfinite(seconds) or seconds < 0:
        raise InvalidInput(f"{field}: {text!r} is not a finite duration", field=field)
    return seconds


def format_size(count: float) -> str:
    """``1536`` becomes ``1.5 KiB``."""
    for unit in ("B", "KiB", "MiB", "GiB"):
        if abs(count) < 1024:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1024
    return f"{count:.1f} TiB"


def format_duration(seconds: float) -> str:
    """``0.25`` becomes ``250 ms``, ``75`` becomes ``1m15s``."""
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(int(seconds), 60)
    if minutes < 60:
        return f"{minutes}m{rest:02d}s"
    hours, minutes = divmod(minutes, 60)
    if hours < 48:
        return f"{hours}h{minutes:02d}m"
    days, hours = divmod(hours, 24)
    return f"{days}d{hours:02d}h"


def brief_size(count: int) -> str:
    """As people type it, and ``parse_size`` reads it: ``536870912`` becomes ``512m``."""
    for unit in ("t", "g", "m", "k"):
        if count and count % _SIZE_UNITS[unit] == 0:
            return f"{count // _SIZE_UNITS[unit]}{unit}"
    return str(count)


def brief_duration(seconds: float) -> str:
    """As people type it, and ``parse_duration`` reads it: ``600`` becomes ``10m``."""
    for unit in ("d", "h", "m"):
        if seconds and seconds % _DURATION_UNITS[unit] == 0:
            return f"{seconds / _DURATION_UNITS[unit]:.0f}{unit}"
    return f"{seconds!r}s" if seconds % 1 else f"{seconds:.0f}s"
