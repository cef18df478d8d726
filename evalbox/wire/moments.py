"""Moments as text: ISO 8601 in UTC, to the millisecond."""

from __future__ import annotations

from datetime import UTC, datetime


def iso(at: float) -> str:
    """UTC, to the millisecond."""
    text = datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds")
    return text.replace("+00:00", "Z")


def iso_or_none(at: float | None) -> str | None:
    return None if at is None else iso(at)


def seconds(text: str) -> float:
    """Seconds since 1970. Raises ``ValueError`` for what is not an ISO 8601 time."""
    moment = datetime.fromisoformat(text)
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def seconds_or_none(text: str | None) -> float | None:
    return None if text is None else seconds(text)
