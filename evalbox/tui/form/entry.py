"""The fields of the form: what each is called, what is typed or chosen, and what is wrong with it.

All of a field is one widget, since it is widgets that opening the form costs.
"""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import ClassVar

from textual import events
from textual.binding import Binding, BindingType
from textual.geometry import Region, Size
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget
from textual.widgets import Input

from evalbox.tui.form.fields import Field
from evalbox.tui.text import steady
from evalbox.tui.theme import Surface, Tone
from evalbox.tui.widgets.picture import Line, Picture, Span, strip

_LABEL = 16


class Entry(Widget):
    """Draws the name of its field in front, and a problem beneath."""

    field: Field

    def _begin(self, field: Field) -> None:
        self.field = field
        self.problem = ""
        self._tone = Tone.BAD
        self._told: Sequence[str] = ()
        self.styles.padding = (0, 0, 0, _LABEL)

    @property
    def said(self) -> str:
        """Empty for what is not said."""
        raise NotImplementedError

    def fill(self, value: str) -> None:
        """As if ``value`` had been typed or chosen; empty for nothing."""
        raise NotImplementedError

    def say(self, problem: str, tone: Tone = Tone.BAD) -> None:
        """Tells what is wrong; empty where nothing is."""
        if (problem, tone) != (self.problem, self._tone):
            self.problem, self._tone = problem, tone
            self._fold()

    def on_resize(self) -> None:
        self._fold()

    def _fold(self) -> None:
        """Makes as much room beneath as the problem takes."""
        told = _folded(self.problem, self.outer_size.width - _LABEL)
        if len(told) != len(self._told):
            self.styles.padding = (0, 0, len(told), _LABEL)
        self._told = told
        self.refresh()

    def render_lines(self, crop: Region) -> list[Strip]:
        strips = super().render_lines(crop)
        return [self._laid(y, one, crop) for y, one in enumerate(strips, start=crop.y)]

    def _laid(self, y: int, drawn: Strip, crop: Region) -> Strip:
        beneath = y - self.outer_size.height + self.styles.padding.bottom
        if 0 <= beneath < len(self._told):
            line: Line = [(" " * _LABEL, Tone.TEXT), (self._told[beneath], self._tone)]
            return self._strip(line, self.outer_size.width).crop(crop.x, crop.right)
        if y == 0 and crop.x < _LABEL:
            tone = Tone.STRONG if self.has_focus else Tone.MUTED
            label = self._strip([(f" {self.field.label}", tone)], _LABEL)
            return Strip.join([label.crop(crop.x, _LABEL), drawn.crop(_LABEL - crop.x)])
        return drawn

    def _strip(self, line: Line, width: int) -> Strip:
        return strip(line, width, self.app.theme, Surface.BASE)


class Typed(Input, Entry):
    """One line. Of what is pasted it takes what can be printed."""

    def __init__(self, field: Field) -> None:
        Input.__init__(self, placeholder=field.unsaid, id=field.option, select_on_focus=False)
        self.cursor_blink = False
        self._begin(field)

    @property
    def said(self) -> str:
        return self.value

    def fill(self, value: str) -> None:
        self.value = value

    def _on_paste(self, event: events.Paste) -> None:
        event.stop()
        event.prevent_default()
        self.insert_text_at_cursor(printable(event.text))


class Choose(Entry, can_focus=True):
    """One of a few words, all of them in sight; at first the first."""

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

    def __init__(self, field: Field) -> None:
        super().__init__(id=field.option)
        self.value = field.choices[0]
        self._begin(field)

    @property
    def said(self) -> str:
        return "" if self.value == self.field.choices[0] else self.value

    def fill(self, value: str) -> None:
        """What is none of the words changes nothing."""
        value = value or self.field.choices[0]
        if value != self.value and value in self.field.choices:
            self.value = value
            self.refresh()
            self.post_message(self.Changed(self))

    def action_move(self, by: int) -> None:
        choices = self.field.choices
        self.fill(choices[(choices.index(self.value) + by) % len(choices)])

    def on_click(self, event: events.Click) -> None:
        offset = event.get_content_offset(self)
        if offset is None:
            return
        rows, at = self._rows(self.content_size.width), 0
        for choice in rows[offset.y] if offset.y < len(rows) else ():
            if at <= offset.x < at + len(choice) + 2:
                self.fill(choice)
            at += len(choice) + 2

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        return len(self._rows(width))

    def render_line(self, y: int) -> Strip:
        width = self.content_size.width
        rows = self._rows(width)
        return self._strip(self._drawn(rows[y]) if y < len(rows) else [], width)

    def _drawn(self, row: Sequence[str]) -> Line:
        spans: list[Span] = []
        frame = Tone.ACCENT if self.has_focus else Tone.FAINT
        for choice in row:
            here = choice == self.value
            left, right = ("[", "]") if here else (" ", " ")
            spans += [(left, frame), (choice, Tone.STRONG if here else Tone.MUTED), (right, frame)]
        return spans

    def _rows(self, width: int) -> list[list[str]]:
        """As many in a line as fit."""
        rows: list[list[str]] = [[]]
        room = width
        for choice in self.field.choices:
            if rows[-1] and len(choice) + 2 > room:
                rows.append([])
                room = width
            rows[-1].append(choice)
            room -= len(choice) + 2
        return rows


def entry(field: Field) -> Typed | Choose:
    return Choose(field) if field.choices else Typed(field)


def printable(text: str) -> str:
    """What of the first line of ``text`` can be typed."""
    first = next(iter(text.strip().splitlines()), "")
    return "".join(one for one in first if one.isprintable())


class Problem(Picture):
    """What is wrong with more than one field, in the lines that it takes."""

    def __init__(self) -> None:
        super().__init__(self._drawing)
        self.text = ""
        self._tone = Tone.BAD
        self.display = False

    def say(self, text: str, tone: Tone = Tone.BAD) -> None:
        if (text, tone) != (self.text, self._tone):
            self.text, self._tone = text, tone
            self.display = bool(text)
            self.look()

    def _drawing(self, width: int) -> list[Line]:
        return [[(f" {part}", self._tone)] for part in _folded(self.text, width - 1)]


def headed(title: str) -> Picture:
    """The line above a group of fields."""

    def drawn(_: int) -> list[Line]:
        return [[], [(f" {title}", Tone.ACCENT)]]

    return Picture(drawn)


def _folded(text: str, width: int) -> Sequence[str]:
    return textwrap.wrap(steady(text), max(width, 1))
