"""Where a script is typed."""

from __future__ import annotations

from typing import Any

from rich.cells import cell_len
from rich.style import Style
from rich.text import Text
from textual import events
from textual.message import Message
from textual.theme import Theme
from textual.widgets import TextArea
from textual.widgets.text_area import Edit, EditResult, TextAreaTheme

from evalbox.tui.form.draft import too_long
from evalbox.tui.form.highlight import Highlighter
from evalbox.tui.glyphs import Glyphs
from evalbox.tui.theme import PALETTES, Palette, Surface, Tone

_INDENT = 4


class CodeEditor(TextArea):
    """Draws what a terminal would obey, or has no width of its own, as one strange character.

    The text itself keeps it.
    """

    class TooLong(Message):
        """What was pasted is left out: typing on in it would make people wait."""

    def __init__(self, glyphs: Glyphs, *, id: str) -> None:  # noqa: A002 - as widgets call it
        self._changed_from = 0
        self._highlighter = self._reading("")
        super().__init__(
            soft_wrap=False,
            show_line_numbers=True,
            tab_behavior="indent",
            highlight_cursor_line=False,
            id=id,
        )
        self.cursor_blink = False
        self.indent_width = _INDENT
        self._strange = glyphs.strange
        for name, palette in PALETTES.items():
            self.register_theme(_theme(name, palette))

    def on_mount(self) -> None:
        self.theme = self.app.theme
        self.app.theme_changed_signal.subscribe(self, self._dress)

    def _dress(self, theme: Theme) -> None:
        self.theme = theme.name

    def read_as(self, language: str) -> None:
        """Shows the words of that language as what they are."""
        self._highlighter = self._reading(language)
        self._line_cache.clear()
        self.refresh()

    def _reading(self, language: str) -> Highlighter:
        return Highlighter(self._line, lambda: self.document.line_count, language)

    def _line(self, number: int) -> str:
        """Of the document that there is then."""
        return self.document.get_line(number)

    def edit(self, edit: Edit) -> EditResult:
        self._changed_from = min(edit.from_location[0], edit.to_location[0])
        return super().edit(edit)

    def _build_highlight_map(self) -> None:
        """Called whenever the text is another, by undoing too, of which no line is told."""
        super()._build_highlight_map()
        self._highlighter.changed(self._changed_from)
        self._changed_from = 0

    def get_line(self, line_index: int) -> Text:
        line = self.document.get_line(line_index)
        shown = Text(self._steady(line), end="", no_wrap=True)
        palette = PALETTES[self.app.theme]
        for start, end, tone in self._highlighter.spans(line_index, self.size.height):
            shown.stylize(palette.style(tone), start, end)
        return shown

    def _steady(self, line: str) -> str:
        if line.isascii() and line.isprintable():
            return line
        return "".join(
            one if one == "\t" or (one.isprintable() and cell_len(one)) else self._strange
            for one in line
        )

    # Textual calls the handlers of the classes above, too, unless that is prevented.

    async def _on_key(self, event: events.Key) -> None:
        if event.key == "enter":
            event.stop()
            event.prevent_default()
            row, column = min(self.selection)
            before = self.document.get_line(row)[:column]
            indent = before[: len(before) - len(before.lstrip())]
            if before.rstrip().endswith((":", "{", "(", "[")):
                indent += " " * _INDENT
            self._replace_via_keyboard(f"\n{indent}", *self.selection)

    async def _on_paste(self, event: events.Paste) -> None:
        if too_long(self.text + event.text):
            event.prevent_default()
            self.post_message(self.TooLong())


def _theme(name: str, palette: Palette) -> TextAreaTheme:
    text = palette.style()
    styles: dict[str, Any] = {
        "base_style": text,
        "gutter_style": palette.style(Tone.FAINT),
        "cursor_line_gutter_style": palette.style(Tone.MUTED),
        "cursor_style": Style(reverse=True),
        "bracket_matching_style": Style(underline=True),
        "selection_style": palette.style(Tone.STRONG, Surface.CURSOR),
    }
    return TextAreaTheme(name, **styles)
