"""One of a few words, all of them in sight."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual import events
from textual.binding import Binding, BindingType
from textual.geometry import Size
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget

from evalbox.tui.theme import Surface, Tone
from evalbox.tui.widgets.picture import Line, Span, strip


class Choose(Widget, can_focus=True):
    """``value`` is the one that is chosen, at first the first."""

    ALLOW_SELECT = False
    DEFAULT_CSS = "Choose { height: auto; width: 1fr; }"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("right,space,enter", "move(1)", "next", show=False, id="choose.next",
                tooltip="The next of the words"),
        Binding("left", "move(-1)", "previous", show=False, id="choose.previous",
                tooltip="The word before"),
    ]  # fmt: skip

    class Changed(Message):
        def __init__(self, choose: Choose) -> None:
            super().__init__()
            self.choose = choose

        @property
        def control(self) -> Choose:
            return self.choose

    def __init__(
        self,
        choices: Sequence[str],
        *,
        id: str,  # noqa: A002 - as widgets call it
    ) -> None:
        super().__init__(id=id)
        self.choices = choices
        self.value = choices[0]

    def choose(self, value: str) -> None:
        """Raises nothing for what is none of them: it stays as it is."""
        if value != self.value and value in self.choices:
            self.value = value
            self.refresh()
            self.post_message(self.Changed(self))

    def action_move(self, by: int) -> None:
        place = self.choices.index(self.value)
        self.choose(self.choices[(place + by) % len(self.choices)])

    def on_click(self, event: events.Click) -> None:
        for y, row in enumerate(self._rows(self.content_size.width)):
            at = 0
            for choice in row:
                if y == event.y and at <= event.x < at + len(choice) + 2:
                    self.choose(choice)
                at += len(choice) + 2

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        return len(self._rows(width))

    def render_line(self, y: int) -> Strip:
        width = self.content_size.width
        rows = self._rows(width)
        line = self._drawn(rows[y]) if y < len(rows) else []
        return strip(line, width, self.app.theme, Surface.BASE)

    def _drawn(self, row: Sequence[str]) -> Line:
        spans: list[Span] = []
        for choice in row:
            here = choice == self.value
            left, right = ("[", "]") if here else (" ", " ")
            frame = Tone.ACCENT if self.has_focus else Tone.FAINT
            spans += [(left, frame), (choice, Tone.STRONG if here else Tone.MUTED), (right, frame)]
        return spans

    def _rows(self, width: int) -> list[list[str]]:
        """As many in a line as fit."""
        rows: list[list[str]] = [[]]
        room = width
        for choice in self.choices:
            if rows[-1] and len(choice) + 2 > room:
                rows.append([])
                room = width
            rows[-1].append(choice)
            room -= len(choice) + 2
        return rows
