"""Shows a log: its end while it grows, or any place in it."""

from __future__ import annotations

from typing import ClassVar

from rich.cells import cell_len
from rich.segment import Segment
from textual.binding import Binding, BindingType
from textual.scroll_view import ScrollView
from textual.strip import Strip

from evalbox.tui import wording
from evalbox.tui.glyphs import Glyphs
from evalbox.tui.model.log import Log, LogLine
from evalbox.tui.text import window
from evalbox.tui.theme import PALETTES, Palette, Surface, Tone
from evalbox.tui.widgets.scrolling import resize

_STREAM_ERROR = 2
_TIME = 9


class LogView(ScrollView, can_focus=True):
    """Costs what is seen of it: lines are cut and styled when they are drawn.

    While it follows, the end stays in sight; scrolling up stops that, and going to the end begins
    it again.
    """

    ALLOW_SELECT = False
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("j,down", "move(1)", "down", show=False, id="log.down"),
        Binding("k,up", "move(-1)", "up", show=False, id="log.up"),
        Binding("pagedown,ctrl+f", "page(1)", "page down", show=False, id="log.page_down"),
        Binding("pageup,ctrl+b", "page(-1)", "page up", show=False, id="log.page_up"),
        Binding("g,home", "start", "start", show=False, id="log.start"),
        Binding("G,end", "finish", "end", show=False, id="log.end"),
        Binding("left", "sideways(-20)", "left", show=False, id="log.left"),
        Binding("right", "sideways(20)", "right", show=False, id="log.right"),
        Binding("f", "follow", "follow", id="log.follow", tooltip="Stay at the end as it grows"),
        Binding("w", "wrap", "wrap", id="log.wrap", tooltip="Break long lines"),
        Binding("t", "times", "times", id="log.times", tooltip="Show when each line came"),
    ]

    def __init__(self, log: Log, glyphs: Glyphs, *, id: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id)
        self._source = log
        self._glyphs = glyphs
        self._rows: list[tuple[LogLine, int]] = []
        self._drawn: tuple[int, int, bool, bool] | None = None
        self._start = 0
        self.following = True
        self.wrapping = True
        self.timed = False
        self.wanted = ""

    def show(self, log: Log) -> None:
        """Shows another log from here on."""
        self._source, self._drawn, self.following = log, None, True
        self.look()

    @property
    def _wide(self) -> int:
        """Cells of a line, the scrollbar's left out."""
        return self.scrollable_content_region.width

    @property
    def _high(self) -> int:
        return self.scrollable_content_region.height

    @property
    def _room(self) -> int:
        return max(1, self._wide - (_TIME if self.timed else 0) - 1)

    def look(self) -> None:
        """Takes in what has come."""
        if not self._wide:
            return
        state = (id(self._source) ^ self._source.version, self._room, self.wrapping, self.timed)
        if state == self._drawn:
            return
        self._drawn = state
        self._lay_out()
        resize(self, len(self._rows))
        if self.following:
            self.scroll_to(y=self._bottom, animate=False, immediate=True)
        self.refresh()

    def _lay_out(self) -> None:
        if not self.wrapping:
            self._rows = [(line, self._start) for line in self._source.lines]
            return
        room = self._room
        self._rows = [
            (line, start)
            for line in self._source.lines
            for start in range(0, max(1, _size(line.text)), room)
        ]

    @property
    def _bottom(self) -> int:
        return max(0, len(self._rows) - self._high)

    def on_resize(self) -> None:
        self.look()

    # --- moving ---

    def _go(self, y: int) -> None:
        y = max(0, min(y, self._bottom))
        self.following = y >= self._bottom
        self.scroll_to(y=y, animate=False, immediate=True)

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        super().watch_scroll_y(old_value, new_value)
        if new_value < old_value and new_value < self._bottom:
            self.following = False

    def action_move(self, by: int) -> None:
        self._go(self.scroll_offset.y + by)

    def action_page(self, by: int) -> None:
        self._go(self.scroll_offset.y + by * max(1, self._high - 1))

    def action_start(self) -> None:
        self._go(0)

    def action_finish(self) -> None:
        self._go(self._bottom)

    def action_sideways(self, by: int) -> None:
        if not self.wrapping:
            self._start = max(0, self._start + by)
            self._redraw()

    def action_follow(self) -> None:
        self.following = not self.following
        if self.following:
            self.action_finish()

    def action_wrap(self) -> None:
        self.wrapping, self._start = not self.wrapping, 0
        self._redraw()

    def action_times(self) -> None:
        self.timed = not self.timed
        self._redraw()

    def _redraw(self) -> None:
        self._drawn = None
        self.look()

    def find(self, wanted: str) -> int:
        """Marks ``wanted`` and goes to its last place; gives how many lines have it."""
        self.wanted = wanted
        numbers = list(self._source.find(wanted)) if wanted else []
        if numbers:
            self._go_to_line(numbers[-1])
        self.refresh()
        return len(numbers)

    def find_next(self, by: int) -> None:
        """Goes to the next place (1) or the one before (-1), and around the ends."""
        numbers = list(self._source.find(self.wanted)) if self.wanted else []
        if not numbers or not self._rows:
            return
        here = self._rows[min(self._middle, len(self._rows) - 1)][0].number
        if by > 0:
            found = next((number for number in numbers if number > here), numbers[0])
        else:
            found = next((one for one in reversed(numbers) if one < here), numbers[-1])
        self._go_to_line(found)

    @property
    def _middle(self) -> int:
        return self.scroll_offset.y + self._high // 2

    def _go_to_line(self, number: int) -> None:
        for y, (line, _) in enumerate(self._rows):
            if line.number == number:
                self._go(y - self._high // 2)
                return

    # --- drawing ---

    def render_line(self, y: int) -> Strip:
        palette = PALETTES[self.app.theme]
        index = self.scroll_offset.y + y
        width = self._wide
        if index >= len(self._rows):
            told = " nothing was printed" if not self._rows and y == 0 else ""
            return Strip([Segment(told.ljust(width)[:width], palette.style(Tone.MUTED))], width)
        line, start = self._rows[index]
        tone = Tone.WARN if line.stream == _STREAM_ERROR else Tone.TEXT
        segments = [Segment(" ", palette.style(tone))]
        if self.timed:
            told = wording.clock(line.at) if start == 0 or not self.wrapping else ""
            segments.append(Segment(f"{told:<{_TIME}}", palette.style(Tone.FAINT)))
        text = window(line.text, start, self._room)
        segments += self._marked(text, tone, palette)
        return Strip(segments, width)

    def _marked(self, text: str, tone: Tone, palette: Palette) -> list[Segment]:
        plain, hit = palette.style(tone), palette.style(Tone.HIT, Surface.BASE)
        wanted = self.wanted.lower()
        lower = text.lower()
        if not wanted or len(lower) != len(text) or wanted not in lower:
            return [Segment(text, plain)]
        segments, at = [], 0
        while (found := lower.find(wanted, at)) >= 0:
            if found > at:
                segments.append(Segment(text[at:found], plain))
            at = found + len(wanted)
            segments.append(Segment(text[found:at], hit))
        segments.append(Segment(text[at:], plain))
        return segments


def _size(text: str) -> int:
    return len(text) if text.isascii() else cell_len(text)
