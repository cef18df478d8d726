"""Shows a log: its end while it grows, or any place in it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from rich.segment import Segment
from rich.style import Style
from textual.binding import Binding, BindingType
from textual.scroll_view import ScrollView
from textual.strip import Strip

from evalbox.tui import wording
from evalbox.tui.glyphs import Glyphs
from evalbox.tui.model.log import Log, LogLine
from evalbox.tui.text import window, wrapped
from evalbox.tui.theme import PALETTES, Palette, Tone
from evalbox.tui.widgets.laying import Layout
from evalbox.tui.widgets.scrolling import resize
from evalbox.tui.widgets.strips import joined

_STREAM_ERROR = 2
_TIME = 9
_MARGIN = 2


class LogView(ScrollView, can_focus=True):
    """Costs what is seen of it: lines are cut and styled when they are drawn.

    While it follows, the end stays in sight; scrolling up stops that, and going to the end begins
    it again. ``empty`` is told where there is no line.
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

    def __init__(
        self,
        log: Log,
        glyphs: Glyphs,
        *,
        empty: str = "nothing was printed",
        id: str | None = None,  # noqa: A002
    ) -> None:
        super().__init__(id=id)
        self._source = log
        self._glyphs = glyphs
        self._empty = empty
        self._layout = Layout()
        self._drawn: tuple[int, int, int, bool, str] | None = None
        self._start = 0
        #: The line that was stepped to last, and where that was.
        self._stepped: tuple[int, int] | None = None
        self.following = True
        self.wrapping = True
        self.timed = False
        self.wanted = ""

    def show(self, log: Log, *, following: bool = True) -> None:
        """Shows another log from here on, at its end or its beginning."""
        self._source, self._drawn, self.following = log, None, following
        self._layout, self._stepped = Layout(), None
        if not following:
            self.scroll_to(y=0, animate=False, immediate=True)
        self.look()

    @property
    def source(self) -> Log:
        return self._source

    @property
    def _wide(self) -> int:
        """Cells of a line, the scrollbar's left out."""
        return self.scrollable_content_region.width

    @property
    def _high(self) -> int:
        return self.scrollable_content_region.height

    @property
    def _room(self) -> int:
        return max(1, self._wide - (_TIME if self.timed else 0) - _MARGIN)

    def look(self) -> None:
        """Takes in what has come."""
        if not self._wide:
            return
        source = self._source
        width = self._room if self.wrapping else 0
        state = (id(source), source.version, self._room, self.timed, self.wanted)
        if state == self._drawn:
            return
        self._drawn = state
        gone = self._layout.update(source, width)
        resize(self, self._layout.rows)
        if self.following:
            self.scroll_to(y=self._bottom, animate=False, immediate=True)
        elif gone:
            self.scroll_to(y=max(0, self.scroll_offset.y - gone), animate=False, immediate=True)
        self.refresh()

    @property
    def _bottom(self) -> int:
        return max(0, self._layout.rows - self._high)

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
            self.redraw()

    def action_follow(self) -> None:
        self.following = not self.following
        if self.following:
            self.scroll_to(y=self._bottom, animate=False, immediate=True)

    def action_wrap(self) -> None:
        self.wrapping, self._start = not self.wrapping, 0
        self.redraw()

    def action_times(self) -> None:
        self.timed = not self.timed
        self.redraw()

    def redraw(self) -> None:
        self._drawn = None
        self.look()

    # --- finding ---

    def find(self, wanted: str) -> int:
        """Marks ``wanted`` and goes to its last place; gives how many lines have it."""
        self.wanted = wanted
        numbers = self.found()
        if numbers:
            self._go_to_line(numbers[-1])
        self.refresh()
        return len(numbers)

    def found(self) -> list[int]:
        """The numbers of the lines that have what is ``wanted``."""
        return list(self._source.find(self.wanted)) if self.wanted else []

    def find_next(self, by: int) -> None:
        """Goes to the next place (1) or the one before (-1), and around the ends."""
        numbers = self.found()
        if not numbers or not self._layout.rows:
            return
        here, _ = self._layout.at(self._middle)
        if by > 0:
            found = next((number for number in numbers if number > here), numbers[0])
        else:
            found = next((one for one in reversed(numbers) if one < here), numbers[-1])
        self._go_to_line(found)

    def step_to(self, numbers: Sequence[int], by: int) -> bool:
        """Puts the next of the lines ``numbers`` (1), or the one before (-1), at the top.

        Whether there is one. Near its end not every line can be there.
        """
        if not self._layout.rows:
            return False
        here, _ = self._layout.at(min(self.scroll_offset.y, self._layout.rows - 1))
        if self._stepped is not None and self._stepped[1] == self.scroll_offset.y:
            here = self._stepped[0]
        if by > 0:
            found = next((number for number in numbers if number > here), None)
        else:
            found = next((number for number in reversed(numbers) if number < here), None)
        if found is None:
            return False
        self.look()
        self._go(self._layout.row_of(found))
        self.following = False
        self._stepped = found, self.scroll_offset.y
        return True

    @property
    def _middle(self) -> int:
        return min(self.scroll_offset.y + self._high // 2, self._layout.rows - 1)

    def _go_to_line(self, number: int) -> None:
        self.look()
        self._go(self._layout.row_of(number) - self._high // 2)

    # --- drawing ---

    def render_line(self, y: int) -> Strip:
        palette = PALETTES[self.app.theme]
        index = self.scroll_offset.y + y
        width = self._wide
        number, part = self._layout.at(index) if index < self._layout.rows else (0, 0)
        line = self._source.line(number)
        if line is None:
            told = f" {self._empty}" if not self._layout.rows and y == 0 else ""
            return Strip([Segment(told.ljust(width)[:width], palette.style(Tone.MUTED))], width)
        return self._strip(line, part, palette)

    def _strip(self, line: LogLine, part: int, palette: Palette) -> Strip:
        of_errors = line.stream == _STREAM_ERROR
        tone = Tone.WARN if of_errors else Tone.TEXT
        spans = [((self._glyphs.errors if of_errors else " ") + " ", palette.style(tone))]
        if self.timed:
            told = "" if part else wording.clock(line.at)
            spans.append((f"{told:<{_TIME}}", palette.style(Tone.FAINT)))
        text, begin = self._shown(line.text, part)
        spans += self._marked(line.text if self.wrapping else text, text, begin, tone, palette)
        return joined(spans, self._wide)

    def _shown(self, text: str, part: int) -> tuple[str, int]:
        """What a row shows, and where in the line that begins."""
        if not self.wrapping:
            return window(text, self._start, self._room), 0
        stretches = wrapped(text, self._room)
        if part >= len(stretches):
            return "", 0
        return stretches[part], sum(map(len, stretches[:part]))

    def _marked(
        self, line: str, text: str, begin: int, tone: Tone, palette: Palette
    ) -> list[tuple[str, Style]]:
        """``text``, which is ``line`` from ``begin`` on, with what is wanted of it made visible."""
        plain, hit = palette.style(tone), palette.style(Tone.HIT)
        wanted, lower = self.wanted.lower(), line.lower()
        if not wanted or len(lower) != len(line):
            return [(text, plain)]
        spans, at, end = [], begin, begin + len(text)
        found = lower.find(wanted, max(0, begin - len(wanted) + 1))
        while 0 <= found < end:
            first, last = max(found, at), min(found + len(wanted), end)
            spans += [(line[at:first], plain), (line[first:last], hit)]
            at = last
            found = lower.find(wanted, found + len(wanted))
        return [*spans, (line[at:end], plain)]
