"""What happened, in the order in which it happened."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Event:
    """One entry of the log. ``seq`` grows by the order of commits and has no end.

    ``kind`` is ``evaluation.STATE`` for a change of state, else ``noun.verb``. ``data`` is what
    JSON can hold.
    """

    seq: int
    at: float
    kind: str
    evaluation_id: str | None = None
    attempt: int | None = None
    data: Mapping[str, Any] = field(default_factory=dict)
    batch: str | None = None
