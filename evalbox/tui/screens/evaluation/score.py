"""What an attempt was worth, and the checks that say so."""

from __future__ import annotations

from collections.abc import Sequence

from evalbox.domain.score import Score, ScoreCheck, ScoreKind
from evalbox.domain.state import State
from evalbox.tui.glyphs import Glyphs
from evalbox.tui.screens.evaluation.pane import PicturePane, fact, told, wrap
from evalbox.tui.text import fit, steady
from evalbox.tui.theme import Tone
from evalbox.tui.widgets.picture import Line, Span

_TONES = {
    ScoreKind.NUMBER: Tone.STRONG,
    ScoreKind.MANUAL: Tone.SPECIAL,
    ScoreKind.INVALID: Tone.BAD,
}
_MEANS = {
    ScoreKind.NUMBER: "",
    ScoreKind.MANUAL: "a person has yet to say",
    ScoreKind.INVALID: "what was to be the score is none",
}
_NAME, _VALUE = 28, 10


class ScorePane(PicturePane):
    NAME = "score"

    def aside(self) -> str:
        return self.about_attempt()

    def draw(self, width: int) -> Sequence[Line]:
        item, attempt = self.subject.item, self.subject.shown
        verdict = attempt.verdict if attempt else None
        if item is None:
            return told("looking")
        if verdict is not None and verdict.score is not None:
            return drawn_score(verdict.score, self.context.glyphs, width)
        if item.spec.score is None:
            return told("no score was asked for: say where its file is when it is submitted")
        where = steady(item.spec.score)
        if verdict is None:
            return told(f"not scored yet: it is to be in {where}")
        return told(f"there is no score: the attempt ended before one was read from {where}")


def drawn_score(score: Score, glyphs: Glyphs, width: int) -> list[Line]:
    lines: list[Line] = [[], fact("score", *words(score), (f"  {_MEANS[score.kind]}", Tone.MUTED))]
    if score.reason:
        lines += wrap("why", steady(score.reason), width)
    if score.raw and score.kind is not ScoreKind.NUMBER:
        lines += wrap("what it had", steady(score.raw), width, Tone.WARN, rows=12)
    lines.append([])
    if not score.checks:
        return [*lines, [(" no checks were told", Tone.MUTED)]]
    passed = sum(check.passed is True for check in score.checks)
    judged = sum(check.passed is not None for check in score.checks)
    lines.append(fact("checks", (f"{passed} of {judged} passed", Tone.TEXT)))
    return [*lines, [], *(_check(check, glyphs, width) for check in score.checks)]


def _check(check: ScoreCheck, glyphs: Glyphs, width: int) -> Line:
    sign, tone = {
        True: (glyphs.states[State.COMPLETED], Tone.GOOD),
        False: (glyphs.states[State.FAILED], Tone.BAD),
        None: (glyphs.dot, Tone.MUTED),
    }[check.passed]
    value = "" if check.value is None else f"{check.value:g}"
    return [
        (f" {sign} ", tone),
        (fit(check.name, min(_NAME, max(8, width // 3)), ellipsis=glyphs.ellipsis), Tone.TEXT),
        (f" {value:>{_VALUE}}  ", Tone.STRONG),
        (steady(check.detail), Tone.MUTED),
    ]


def words(score: Score) -> list[Span]:
    """The number, or that there is none."""
    if score.kind is ScoreKind.NUMBER and score.value is not None:
        return [(f"{score.value:g}", _TONES[score.kind])]
    return [(str(score.kind), _TONES[score.kind])]
