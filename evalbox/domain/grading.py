"""A score that a person gives."""

from __future__ import annotations

import math

from evalbox.domain.inert import inert_line
from evalbox.domain.score import Score, ScoreKind
from evalbox.domain.state import State
from evalbox.errors import InvalidInput

#: Characters of a name and of a note.
MAX_BY, MAX_NOTE = 100, 2000
#: What has come to its end by itself, and so can be looked at and judged.
GRADABLE = frozenset({State.COMPLETED, State.FAILED})


def graded(value: float, *, by: str, note: str = "", at: float) -> Score:
    """``by`` names the person, ``at`` is in seconds since 1970. Raises ``InvalidInput``."""
    if not math.isfinite(value):
        raise InvalidInput(
            f"a score of {value} is none", hint="give a finite number", field="value"
        )
    name = by.strip()
    if not name or len(name) > MAX_BY or inert_line(name) != name:
        raise InvalidInput(
            f"{by[:MAX_BY]!r} is no name of a person",
            hint=f"say who gives the score, in 1 to {MAX_BY} characters of one line",
            field="by",
        )
    if len(note) > MAX_NOTE:
        raise InvalidInput(
            f"a note of {len(note):,} characters is too long",
            hint=f"give at most {MAX_NOTE:,}",
            field="note",
        )
    return Score(ScoreKind.NUMBER, float(value), note.strip(), by=name, at=at)
