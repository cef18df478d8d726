"""What an attempt was worth."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum


class ScoreKind(StrEnum):
    """``MANUAL``: a person has yet to say. ``INVALID``: what was to be the score is none."""

    NUMBER = "number"
    MANUAL = "manual"
    INVALID = "invalid"


@dataclass(frozen=True, slots=True)
class ScoreCheck:
    """One thing that was looked at. None where it has no verdict, or no value, of its own."""

    name: str
    passed: bool | None = None
    value: float | None = None
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Score:
    """``value`` is finite, in any range, and set for a ``NUMBER`` alone.

    ``raw`` is the text that it was read from, as far as it is kept. ``reason`` says of an
    ``INVALID`` one what is wrong with it; of another it is the message that came along, if any.
    ``by`` names the person who gave it ``at`` a time in seconds since 1970, if one did.
    """

    kind: ScoreKind
    value: float | None = None
    reason: str = ""
    raw: str = ""
    checks: tuple[ScoreCheck, ...] = ()
    by: str = ""
    at: float | None = None

    @property
    def summary(self) -> Score:
        """What a list tells of it: less the checks and the text, and who gave it."""
        return replace(self, raw="", checks=(), by="", at=None)
