"""A part of the screen that is drawn by a function, and sent line by line as it changes."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from rich.cells import cell_len
from textual.geometry import Region, Size
from textual.strip import Strip
from textual.widget import Widget

from evalbox.tui.glyphs import ASCII, BLOCK
from evalbox.tui.text import fit
from evalbox.tui.theme import PALETTES, Surface, Tone
from evalbox.tui.widgets.strips import joined

Span = tuple[str, Tone]
Line = Sequence[Span]
Draw = Callable[[int], Sequence[Line]]


class Picture(Widget):
    """``draw`` is given the width in cells. Text of others it has to make steady itself."""

    ALLOW_SELECT = False
    DEFAULT_CSS = "Picture { height: auto; }"

    def __init__(
        self,
        draw: Draw,
        *,
        surface: Surface = Surface.BASE,
        id: str | None = None,  # noqa: A002 - as every widget calls it
        classes: str | None = None,
    ) -> None:
        super().__init__(id=id, classes=classes)
        self._draw = draw
        self._surface = surface
        self._lines: Sequence[Line] = ()
        self._width = -1

    def look(self) -> None:
        """Draws anew, and sends the lines that are others than before."""
        width = self.content_size.width
        if not width:
            return
        before, self._lines, self._width = self._lines, self._draw(width), width
        if len(before) != len(self._lines):
            self.refresh(layout=True)
            return
        for y, (old, new) in enumerate(zip(before, self._lines, strict=True)):
            if old != new:
                self.refresh(Region(0, y, width, 1))

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        return len(self._at(width))

    def _at(self, width: int) -> Sequence[Line]:
        if width != self._width:
            self._lines, self._width = self._draw(width), width
        return self._lines

    def render_line(self, y: int) -> Strip:
        width = self.content_size.width
        lines = self._at(width)
        line = lines[y] if y < len(lines) else ()
        glyphs = ASCII if self.app.has_class("-ascii") else BLOCK
        return strip(line, width, self.app.theme, self._surface, glyphs.ellipsis)


def strip(
    line: Line, width: int, theme: str, surface: Surface, ellipsis: str = BLOCK.ellipsis
) -> Strip:
    """``line``, cut or filled to ``width`` cells."""
    palette = PALETTES[theme]
    spans, left = [], width
    for text, tone in line:
        size = measure([(text, tone)])
        shown = text if size <= left else fit(text, left, ellipsis=ellipsis)
        spans.append((shown, palette.style(tone, surface)))
        left -= size
        if left <= 0:
            break
    return joined([*spans, (" " * max(0, left), palette.style(Tone.TEXT, surface))], width)


def ends(left: Line, right: Line, width: int) -> Line:
    """Both ends of a line; where there is no room for both, the left one."""
    gap = width - measure(left) - measure(right)
    return [*left, (" " * gap, Tone.TEXT), *right] if gap > 0 else left


def measure(line: Line) -> int:
    """Cells."""
    return sum(cell_len(text) for text, _ in line)
