"""A dialog in which a submission is written, or looked at once more."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen

from evalbox.domain.quantity import format_size
from evalbox.tui.form.code import CodeEditor
from evalbox.tui.glyphs import Glyphs
from evalbox.tui.theme import Surface, Tone
from evalbox.tui.widgets.picture import Line, Picture


class Submission(ModalScreen[bytes]):
    """Gives the submission, and nothing on escape. ``text`` is what it is so far."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+s", "submit", "submit", id="submission.submit", tooltip="Submit it"),
        # An editor takes it for leaving the text.
        Binding("escape", "dismiss", "back", id="submission.back", tooltip="Go on working",
                priority=True),
    ]  # fmt: skip

    def __init__(self, text: str, glyphs: Glyphs) -> None:
        super().__init__()
        self._text = text
        self.editor = CodeEditor(glyphs, id="submission")
        self._told = Picture(self._tell, surface=Surface.BAR)

    def compose(self) -> ComposeResult:
        with Vertical(id="dialog", classes="high"):
            yield Picture(self._draw, surface=Surface.BAR)
            yield self.editor
            yield self._told

    def on_mount(self) -> None:
        self.editor.load_text(self._text)
        self.editor.focus()

    def on_text_area_changed(self) -> None:
        self._told.look()

    def on_code_editor_too_long(self) -> None:
        self.notify("too long to be pasted: write it into submission.txt, in the shell",
                    markup=False)  # fmt: skip

    def action_submit(self) -> None:
        self.dismiss(self._content())

    def _content(self) -> bytes:
        return self.editor.text.encode(errors="surrogateescape")

    def _draw(self, _width: int) -> list[Line]:
        return [
            [("Submit this?", Tone.STRONG),
             ("  It takes the place of submission.txt, is scored, and that is the end.",
              Tone.MUTED)],
            [],
        ]  # fmt: skip

    def _tell(self, _width: int) -> list[Line]:
        size = format_size(len(self._content()))
        return [
            [],
            [("ctrl+s", Tone.ACCENT), (f" submit {size}  ", Tone.MUTED), ("esc", Tone.ACCENT),
             (" go on working", Tone.MUTED)],
        ]  # fmt: skip
