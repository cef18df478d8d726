"""A field of the form: what it is called, where it is typed, and what is wrong with that."""

from __future__ import annotations

import textwrap

from textual import events
from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.widget import Widget
from textual.widgets import Input

from evalbox.tui.form.choose import Choose
from evalbox.tui.form.fields import Field, Kind
from evalbox.tui.text import steady
from evalbox.tui.theme import Tone
from evalbox.tui.widgets.picture import Line, Picture

_LABEL = 16


class Typed(Input):
    """One line. Of what is pasted it takes what can be printed."""

    def __init__(self, *, placeholder: str, id: str) -> None:  # noqa: A002 - as widgets call it
        super().__init__(placeholder=placeholder, id=id, select_on_focus=False)
        self.cursor_blink = False

    def _on_paste(self, event: events.Paste) -> None:
        event.stop()
        event.prevent_default()
        line = next(iter(event.text.strip().splitlines()), "")
        self.insert_text_at_cursor("".join(one for one in line if one.isprintable()))


class Problem(Picture):
    """What is wrong, in the lines that it takes; nothing where nothing is."""

    def __init__(self, *, indent: int = 0) -> None:
        super().__init__(self._told)
        self._indent = indent
        self._text = ""
        self._tone = Tone.BAD
        self.display = False

    def say(self, text: str, tone: Tone = Tone.BAD) -> None:
        if (text, tone) != (self._text, self._tone):
            self._text, self._tone = text, tone
            self.display = bool(text)
            self._width = -1
            self.refresh(layout=True)

    @property
    def text(self) -> str:
        return self._text

    def _told(self, width: int) -> list[Line]:
        gap, room = " " * self._indent, max(width - self._indent, 1)
        parts = textwrap.wrap(steady(self._text), room)
        return [[(gap, Tone.TEXT), (part, self._tone)] for part in parts]


class Entry(Widget):
    """The row of a field."""

    DEFAULT_CSS = """
    Entry { height: auto; }
    Entry > Horizontal { height: auto; }
    """

    def __init__(self, field: Field) -> None:
        super().__init__(id=f"entry-{field.option}")
        self.field = field
        self.problem = Problem(indent=_LABEL)
        self.control: Typed | Choose = (
            Choose(field.choices, id=field.option)
            if field.kind is Kind.CHOICE
            else Typed(placeholder=field.unsaid, id=field.option)
        )

    def compose(self) -> ComposeResult:
        with Horizontal():
            label = Picture(lambda _: [[(f" {self.field.label}", Tone.MUTED)]])
            label.styles.width = _LABEL
            yield label
            yield self.control
        yield self.problem

    @property
    def value(self) -> str:
        """Empty for what is not said."""
        value = self.control.value
        return "" if self.field.choices and value == self.field.choices[0] else value

    def fill(self, value: str) -> None:
        if isinstance(self.control, Choose):
            self.control.choose(value or self.field.choices[0])
        else:
            self.control.value = value


def headed(title: str) -> Picture:
    """The line above a group of fields."""

    def drawn(_: int) -> list[Line]:
        return [[], [(f" {title}", Tone.ACCENT)]]

    return Picture(drawn)
