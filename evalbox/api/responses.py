"""What routes say of answers that are not JSON."""

from __future__ import annotations

from typing import Any

#: As FastAPI takes it: what is said of each status.
Responses = dict[int | str, dict[str, Any]]


def octets(description: str) -> Responses:
    """An answer that is bytes."""
    return {200: {"content": {"application/octet-stream": {}}, "description": description}}
