"""A dialog that asks for a line of text."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Input

from evalbox.tui.text import steady
from evalbox.tui.theme import Surface, Tone
from evalbox.tui.widgets.picture import Line, Picture

#: Says in words what is wrong with what is typed; nothing where it will do.
Check = Callable[[str], str]


class Prompt(ModalScreen[str]):
    """Gives what was typed, which starts as ``text``; nothing on escape, or where it is empty.

    As long as ``check`` has something to say, that is shown, and enter does nothing.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "dismiss", "back", id="prompt.back", tooltip="Leave it"),
    ]

    def __init__(
        self,
        question: str,
        *,
        text: str = "",
        detail: Sequence[str] = (),
        check: Check = lambda _: "",
    ) -> None:
        super().__init__()
        self._question = question
        self._text = text
        self._detail = detail
        self._check = check
        self._told = Picture(self._tell, surface=Surface.BAR)

    def compose(self) -> ComposeResult:
        with Vertical(id="dialog"):
            yield Picture(self._draw, surface=Surface.BAR)
            yield Input(self._text, id="wanted")
            yield self._told

    def on_mount(self) -> None:
        self.query_one(Input).focus()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        event.stop()
        text = event.value.strip()
        if not self._check(text):
            self.dismiss(text or None)

    def on_input_changed(self) -> None:
        self._told.look()

    def _tell(self, _width: int) -> list[Line]:
        problem = self._check(self.query_one(Input).value.strip())
        return [[(steady(problem), Tone.WARN)]] if problem else KEYS

    def _draw(self, _width: int) -> list[Line]:
        lines: list[Line] = [[(steady(self._question), Tone.STRONG)]]
        return [*lines, *([(steady(text), Tone.MUTED)] for text in self._detail), []]


def whole(least: int, most: int) -> Check:
    """A whole number between these, both included."""

    def check(text: str) -> str:
        good = text.isascii() and text.isdecimal() and least <= int(text[:9]) <= most
        return "" if good else f"give a whole number from {least:,} to {most:,}"

    return check


KEYS: list[Line] = [
    [("enter", Tone.ACCENT), (" do it  ", Tone.MUTED), ("esc", Tone.ACCENT),
     (" leave it", Tone.MUTED)],
]  # fmt: skip
