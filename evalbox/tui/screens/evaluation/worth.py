"""A score in a word."""

from __future__ import annotations

from evalbox.domain.score import Score, ScoreKind
from evalbox.tui.theme import Tone
from evalbox.tui.widgets.picture import Span

_TONES = {
    ScoreKind.NUMBER: Tone.STRONG,
    ScoreKind.MANUAL: Tone.SPECIAL,
    ScoreKind.INVALID: Tone.BAD,
}


def words(score: Score) -> list[Span]:
    """The number, or that there is none."""
    if score.kind is ScoreKind.NUMBER and score.value is not None:
        return [(f"{score.value:g}", _TONES[score.kind])]
    return [(str(score.kind), _TONES[score.kind])]
