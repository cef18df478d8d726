"""Moments in queries."""

from __future__ import annotations

from evalbox.errors import InvalidInput
from evalbox.wire.moments import seconds


def moment(text: str | None, field: str) -> float | None:
    """Seconds since 1970. Raises ``InvalidInput``."""
    try:
        return None if text is None else seconds(text)
    except (ValueError, OverflowError):
        raise InvalidInput(f"{field}: {text!r} is not an ISO 8601 time", field=field) from None
