"""What an attempt was worth, and the checks that say so."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import ClassVar

from textual.binding import Binding, BindingType

from evalbox.domain.grading import GRADABLE
from evalbox.domain.score import Score, ScoreCheck, ScoreKind
from evalbox.domain.state import State
from evalbox.tui.glyphs import Glyphs
from evalbox.tui.screens.evaluation.between import drawn_between
from evalbox.tui.screens.evaluation.grading import Grade, Grading
from evalbox.tui.screens.evaluation.pane import PicturePane, fact, told, wrap
from evalbox.tui.screens.evaluation.worth import words
from evalbox.tui.text import fit, steady
from evalbox.tui.theme import Tone
from evalbox.tui.widgets.picture import Line
from evalbox.tui.wording import moment

_MEANS = {
    ScoreKind.NUMBER: "",
    ScoreKind.MANUAL: "a person has yet to say",
    ScoreKind.INVALID: "what was to be the score is none",
}
_NAME, _VALUE = 28, 10


class ScorePane(PicturePane):
    NAME = "score"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("s", "grade", "score", id="score.set", tooltip="Say what it is worth"),
    ]
    CHANGING: ClassVar[frozenset[str]] = frozenset({"grade"})

    def aside(self) -> str:
        return self.about_attempt()

    async def renew(self) -> None:
        attempt = self.subject.shown
        # It is there when the attempt has ended.
        if attempt is not None and attempt.verdict is not None and not self.subject.reported:
            await self.subject.renew_report()

    def draw(self, width: int) -> Sequence[Line]:
        report = self.subject.report
        between = drawn_between(report, self.context.glyphs, width) if report else []
        return [*self._worth(width), *between]

    def _worth(self, width: int) -> Sequence[Line]:
        item, attempt = self.subject.item, self.subject.shown
        verdict = attempt.verdict if attempt else None
        if item is None:
            return told("looking")
        if verdict is not None and verdict.score is not None:
            return drawn_score(verdict.score, self.context.glyphs, width)
        led = bool(self.subject.steps)
        if item.spec.score is None and not led:
            return told("no score was asked for: say where its file is when it is submitted")
        where = "" if led or item.spec.score is None else steady(item.spec.score)
        if verdict is None:
            return told("not scored yet" + (f": it is to be in {where}" if where else ""))
        source = f"one was read from {where}" if where else "it came to one"
        return told(f"there is no score: the attempt ended before {source}")

    # --- a person's word ---

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if self.context.options.read_only and action in self.CHANGING:
            return False
        return super().check_action(action, parameters)

    def action_grade(self) -> None:
        item = self.subject.item
        if item is None or item.state not in GRADABLE:
            self.page.tell("only what is completed or failed can be scored")
            return

        def answered(grade: Grade) -> None:
            self.page.begin(partial(self._grade, grade))

        self.page.ask(Grading(item.spec.name, item.score, now=self.context.clock.now()), answered)

    async def _grade(self, grade: Grade) -> None:
        subject = self.subject
        await subject.box.set_score(subject.id, grade.value, by=grade.by, note=grade.note)
        self.page.tell(f"scored {grade.value:g}")


def drawn_score(score: Score, glyphs: Glyphs, width: int) -> list[Line]:
    lines: list[Line] = [[], fact("score", *words(score), (f"  {_MEANS[score.kind]}", Tone.MUTED))]
    if score.by and score.at is not None:
        lines.append(fact("given by", (f"{steady(score.by)}, {moment(score.at)}", Tone.TEXT)))
    if score.reason:
        lines += wrap("why", steady(score.reason), width)
    if score.raw and score.kind is not ScoreKind.NUMBER:
        lines += wrap("what it had", steady(score.raw), width, Tone.WARN, rows=12)
    lines.append([])
    if not score.checks:
        return lines if score.by else [*lines, [(" no checks were told", Tone.MUTED)]]
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
