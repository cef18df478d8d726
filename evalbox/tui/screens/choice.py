"""Dialogs: a question and its answers, the harmless one first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Generic, TypeVar

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen

from evalbox.tui.text import steady
from evalbox.tui.theme import Surface, Tone
from evalbox.tui.widgets.picture import Line, Picture

V = TypeVar("V")


@dataclass(frozen=True, slots=True)
class Answer(Generic[V]):
    """``key`` is the letter that gives it at once."""

    key: str
    text: str
    value: V
    detail: str = ""


class Choice(ModalScreen[V], Generic[V]):
    """Gives the value of the answer that was chosen, and nothing on escape."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("down,j,right,tab", "move(1)", "next", show=False, id="choice.next",
                tooltip="The next answer"),
        Binding("up,k,left,shift+tab", "move(-1)", "previous", show=False, id="choice.previous",
                tooltip="The answer before"),
        Binding("enter", "choose", "choose", id="choice.choose", tooltip="Give this answer"),
        Binding("escape", "dismiss", "back", id="choice.back", tooltip="Give none"),
    ]  # fmt: skip

    def __init__(
        self, question: str, answers: Sequence[Answer[V]], *, detail: Sequence[str] = ()
    ) -> None:
        super().__init__()
        self._question = question
        self._answers = answers
        self._detail = detail
        self._chosen = 0

    def compose(self) -> ComposeResult:
        with Vertical(id="dialog"):
            yield Picture(self._draw, surface=Surface.BAR)

    def _draw(self, width: int) -> list[Line]:
        lines: list[Line] = [[(steady(self._question), Tone.STRONG)], []]
        lines += [[(f"  {steady(text)}", Tone.MUTED)] for text in self._detail]
        lines += [[]] if self._detail else []
        for place, answer in enumerate(self._answers):
            here = place == self._chosen
            lines.append(
                [
                    ("> " if here else "  ", Tone.ACCENT),
                    (f"{answer.key} ", Tone.ACCENT),
                    (f" {answer.text}", Tone.STRONG if here else Tone.TEXT),
                    (f"  {answer.detail}", Tone.MUTED),
                ]
            )
        return lines

    def action_move(self, by: int) -> None:
        self._chosen = (self._chosen + by) % len(self._answers)
        self.query_one(Picture).look()

    def action_choose(self) -> None:
        self.dismiss(self._answers[self._chosen].value)

    def on_key(self, event: events.Key) -> None:
        for answer in self._answers:
            if event.character == answer.key:
                event.stop()
                self.dismiss(answer.value)
                return


def confirm(question: str, *, detail: Sequence[str] = (), yes: str) -> Choice[bool]:
    """Asks before what cannot be undone. ``yes`` says what is then done."""
    return Choice(question, [Answer("n", "no", False), Answer("y", yes, True)], detail=detail)
