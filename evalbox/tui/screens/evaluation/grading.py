"""A dialog in which a person says what an evaluation is worth."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Input

from evalbox.domain.grading import MAX_BY, MAX_NOTE, graded
from evalbox.domain.score import Score
from evalbox.errors import InvalidInput
from evalbox.tui.screens.evaluation.worth import words
from evalbox.tui.screens.prompt import KEYS
from evalbox.tui.text import fit
from evalbox.tui.theme import Surface, Tone
from evalbox.tui.widgets.picture import Line, Picture

_NAME = 60


@dataclass(frozen=True, slots=True)
class Grade:
    value: float
    by: str
    note: str


class Grading(ModalScreen[Grade]):
    """Gives what was said, and nothing on escape. The name is who works at this terminal, or who
    gave the last score here.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "dismiss", "back", id="grading.back", tooltip="Leave it"),
    ]
    _last_by = ""

    def __init__(self, name: str, score: Score | None, *, now: float) -> None:
        super().__init__()
        self._name_shown = fit(name, _NAME).rstrip()
        self._score = score
        self._now = now
        by = Grading._last_by or os.environ.get("USER", "")
        self._value = Input(placeholder="a number, of any range", id="value", max_length=40)
        self._by = Input(by, placeholder="who says so", id="by", max_length=MAX_BY)
        self._note = Input(placeholder="why, if that is to be kept", id="note", max_length=MAX_NOTE)
        self._told = Picture(self._tell, surface=Surface.BAR)

    def compose(self) -> ComposeResult:
        with Vertical(id="dialog"):
            yield Picture(self._draw, surface=Surface.BAR)
            yield from (self._value, self._by, self._note)
            yield self._told

    def on_mount(self) -> None:
        self._value.focus()

    def on_input_changed(self) -> None:
        self._told.look()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Goes to what is still to be said, and is done where that is nothing."""
        event.stop()
        try:
            grade = self._grade()
        except InvalidInput as error:
            {"value": self._value, "by": self._by}.get(error.field or "", self._note).focus()
            self._told.look()
            return
        if event.input is self._note:
            Grading._last_by = grade.by
            self.dismiss(grade)
        else:
            self.focus_next()

    def _grade(self) -> Grade:
        """Raises ``InvalidInput``."""
        try:
            value = float(self._value.value)
        except ValueError:
            raise InvalidInput("give a number as the score", field="value") from None
        by, note = self._by.value, self._note.value
        graded(value, by=by, note=note, at=self._now)
        return Grade(value, by, note)

    def _tell(self, _width: int) -> list[Line]:
        if self._value.value:
            try:
                self._grade()
            except InvalidInput as error:
                return [[(error.hint or error.message, Tone.WARN)]]
        return KEYS

    def _draw(self, _width: int) -> list[Line]:
        lines: list[Line] = [[("What is it worth?", Tone.STRONG)], [(self._name_shown, Tone.MUTED)]]
        if self._score is not None:
            lines.append([("so far: ", Tone.MUTED), *words(self._score)])
        return [*lines, []]
