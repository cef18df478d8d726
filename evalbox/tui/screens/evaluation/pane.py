"""What the panes of an evaluation have in common."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import ClassVar, cast

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.widget import Widget

from evalbox.tui.context import Context
from evalbox.tui.model.subject import Subject
from evalbox.tui.screens.page import Page
from evalbox.tui.text import wrapped
from evalbox.tui.theme import Tone
from evalbox.tui.widgets.picture import Line, Picture, Span, measure

_LABEL = 11


class Scroll(VerticalScroll):
    """Scrolls by the keys that lists have."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("j", "scroll_down", "down", show=False, id="pane.down"),
        Binding("k", "scroll_up", "up", show=False, id="pane.up"),
        Binding("g", "scroll_home", "start", show=False, id="pane.start"),
        Binding("G", "scroll_end", "end", show=False, id="pane.end"),
        Binding("ctrl+f", "page_down", "page down", show=False, id="pane.page_down"),
        Binding("ctrl+b", "page_up", "page up", show=False, id="pane.page_up"),
    ]


class Pane(Vertical):
    """Is made when it is first gone to. ``renew`` asks the box for what it alone shows."""

    NAME: ClassVar[str] = ""

    def __init__(self, subject: Subject, context: Context) -> None:
        super().__init__(id=self.NAME, classes="pane")
        self.subject = subject
        self.context = context
        self._title = Picture(self._draw_title, classes="pane-title")

    def compose(self) -> ComposeResult:
        yield self._title
        yield from self.content()

    def content(self) -> Iterable[Widget]:
        """What is below the title."""
        return ()

    @property
    def page(self) -> Page:
        return cast(Page, self.screen)

    def settle(self) -> None:
        """Takes the keys."""

    async def renew(self) -> None:
        """Learns what only this pane shows."""

    def look(self) -> None:
        """Draws what has changed."""
        self._title.look()

    def aside(self) -> str:
        """What stands at the right of the title."""
        return ""

    def _draw_title(self, width: int) -> list[Line]:
        glyph = self.context.glyphs.line
        left: list[Span] = [(glyph * 2, Tone.LINE), (f" {self.NAME} ", Tone.STRONG)]
        told = self.aside()
        right: list[Span] = [(f" {told} ", Tone.MUTED), (glyph, Tone.LINE)] if told else []
        gap = width - measure(left) - measure(right)
        if gap < 1:
            gap, right = width - measure(left), []
        return [[*left, (glyph * gap, Tone.LINE), *right]]

    def about_attempt(self) -> str:
        """Which attempt is looked at, where there are several."""
        count = len(self.subject.attempts)
        return f"try {self.subject.attempt} of {count}" if count > 1 else ""


class PicturePane(Pane):
    """A picture that may be higher than the screen."""

    def __init__(self, subject: Subject, context: Context) -> None:
        super().__init__(subject, context)
        self.picture = Picture(self.draw)
        self._scroll = Scroll(self.picture)

    def content(self) -> Iterable[Widget]:
        yield self._scroll

    def settle(self) -> None:
        self._scroll.focus()

    def look(self) -> None:
        super().look()
        self.picture.look()

    def draw(self, width: int) -> Sequence[Line]:
        raise NotImplementedError


def fact(label: str, *spans: Span) -> Line:
    """A label with what it names behind it."""
    return [(f" {label:<{_LABEL}}", Tone.MUTED), *spans]


def told(text: str) -> Sequence[Line]:
    """A pane that has nothing to show says why."""
    return [[], [(f" {text}", Tone.MUTED)]]


def wrap(label: str, text: str, width: int, tone: Tone = Tone.TEXT, rows: int = 6) -> list[Line]:
    """A fact whose text, which is steady, takes several rows, but not more than ``rows``."""
    room = max(8, width - _LABEL - 2)
    stretches = wrapped(text, room)
    if len(stretches) > rows:
        stretches = (*stretches[: rows - 1], stretches[rows - 1][: room - 6] + " [...]")
    lines = [fact(label, (stretches[0], tone))]
    return lines + [fact("", (one, tone)) for one in stretches[1:]]
