"""Moments as people type them: ``--at 18:30``, ``--at 2030-01-31T08:00``, ``--since 2h``."""

from __future__ import annotations

import re
from datetime import datetime, timedelta

from evalbox.domain.quantity import parse_duration
from evalbox.errors import InvalidInput

_CLOCK = re.compile(r"\d{1,2}:\d{2}(:\d{2})?")


def parse_moment(text: str, *, now: float, field: str) -> float:
    """Seconds since 1970 for an ISO 8601 date and time, in local time where it names no zone.

    A time alone is its next occurrence. Raises ``InvalidInput``.
    """
    text = text.strip()
    try:
        if _CLOCK.fullmatch(text):
            return _next_occurrence(text.zfill(len(text) + text.index(":") % 2), now)
        return datetime.fromisoformat(text).timestamp()
    except (ValueError, OverflowError, OSError):
        raise InvalidInput(
            f"--{field}: {text!r} is not a time",
            hint="write it as 18:30 or 2030-01-31T18:30, in local time, or with a zone as +00:00",
            field=field,
        ) from None


def _next_occurrence(text: str, now: float) -> float:
    present = datetime.fromtimestamp(now).astimezone()
    moment = datetime.fromisoformat(f"{present.date()}T{text}").astimezone()
    if moment <= present:
        moment = datetime.fromisoformat(f"{present.date() + timedelta(days=1)}T{text}").astimezone()
    return moment.timestamp()


def parse_since(text: str, *, now: float, field: str) -> float:
    """A moment, or how long ago it was. Raises ``InvalidInput``."""
    return _moment_or(text, -1, now=now, field=field, examples="90s, 2h, 7d")


def local(at: float) -> str:
    """Local time, to the second."""
    return datetime.fromtimestamp(at).astimezone().strftime("%Y-%m-%d %H:%M:%S")


def parse_until(text: str, *, now: float, field: str) -> float:
    """A moment, or how long from now it is. Raises ``InvalidInput``."""
    return _moment_or(text, 1, now=now, field=field, examples="12h, 90d")


def _moment_or(text: str, sign: int, *, now: float, field: str, examples: str) -> float:
    """A duration counts from ``now``, back or on by its ``sign``."""
    try:
        return now + sign * parse_duration(text, field=f"--{field}")
    except InvalidInput:
        pass
    try:
        return parse_moment(text, now=now, field=field)
    except InvalidInput:
        raise InvalidInput(
            f"--{field}: {text!r} is neither a duration nor a time",
            hint=f"write it as {examples} or 2030-01-31T18:30",
            field=field,
        ) from None
