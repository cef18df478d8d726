"""Something shown whole, in a dialog."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.screen import ModalScreen

from evalbox.tui.text import steady, window
from evalbox.tui.theme import Surface, Tone
from evalbox.tui.widgets.picture import Line, Picture

_LABEL = 12
#: Lines that one value may take.
_MOST = 200


class Whole(ModalScreen[None]):
    """``facts`` are labels and values, of any origin and length. ``copy`` copies a text."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,enter,q,d", "dismiss", "back", id="whole.back", tooltip="Back"),
        Binding("y", "copy", "copy", id="whole.copy", tooltip="Copy all of it"),
        Binding("j,down", "scroll(1)", "down", show=False, id="whole.down"),
        Binding("k,up", "scroll(-1)", "up", show=False, id="whole.up"),
        Binding("pagedown", "scroll(10)", "page down", show=False, id="whole.page_down"),
        Binding("pageup", "scroll(-10)", "page up", show=False, id="whole.page_up"),
    ]

    def __init__(
        self, title: str, facts: Sequence[tuple[str, str]], *, copy: Callable[[str], None]
    ) -> None:
        super().__init__()
        self._title = title
        self._facts = facts
        self._copy = copy

    def compose(self) -> ComposeResult:
        with Vertical(id="dialog"), VerticalScroll(can_focus=False):
            yield Picture(self._draw, surface=Surface.BAR)

    def _draw(self, width: int) -> list[Line]:
        lines: list[Line] = [[(steady(self._title), Tone.STRONG)], []]
        gutter = _LABEL if any(label for label, _ in self._facts) else 0
        for label, value in self._facts:
            lines += _told(label, value, gutter, width)
        return lines

    def action_scroll(self, by: int) -> None:
        self.query_one(VerticalScroll).scroll_relative(y=by, animate=False)

    def action_copy(self) -> None:
        self._copy("\n".join(f"{label}: {value}" for label, value in self._facts))


def _told(label: str, value: str, gutter: int, width: int) -> list[Line]:
    """A value with its label in a ``gutter``, in as many lines as it takes."""
    room = max(8, width - gutter - 1)
    lines: list[Line] = []
    for text in value.splitlines() or [""]:
        rest = steady(text)
        for start in range(0, max(1, len(rest)), room):
            if len(lines) == _MOST:
                return [*lines, [(" " * gutter, Tone.MUTED), ("and more", Tone.MUTED)]]
            shown = label if not lines else ""
            part = window(rest, start, room).rstrip()
            lines.append([(f"{shown:<{gutter}}", Tone.MUTED), (part, Tone.TEXT)])
    return lines
