"""A log with a line to search it by."""

from __future__ import annotations

from typing import ClassVar

from textual.actions import SkipAction
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.widgets import Input

from evalbox.tui import wording
from evalbox.tui.glyphs import Glyphs
from evalbox.tui.model.log import Log
from evalbox.tui.widgets.logview import LogView


class Reader(Vertical):
    """``told`` says in words what is in force."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("slash", "search", "search", id="log.search", tooltip="Search what is shown here"),
        Binding("n", "next(1)", "next", show=False, id="log.next", tooltip="The next place"),
        Binding("N", "next(-1)", "previous", show=False, id="log.previous",
                tooltip="The place before"),
        Binding("escape", "leave", "leave", show=False, id="log.leave",
                tooltip="Forget what was searched"),
    ]  # fmt: skip

    def __init__(self, log: Log, glyphs: Glyphs, *, empty: str = "nothing was printed") -> None:
        super().__init__()
        self.view = LogView(log, glyphs, empty=empty)
        self.field = Input(placeholder="search", id="filter")
        self.field.display = False

    def compose(self) -> ComposeResult:
        yield self.view
        yield self.field

    def settle(self) -> None:
        self.view.focus()

    def told(self) -> list[str]:
        view = self.view
        words = [name for name, on in (("following", view.following), ("wrapped", view.wrapping))
                 if on]  # fmt: skip
        if view.wanted:
            words.append(f"{wording.count(len(view.found()), 'line')} found")
        return words

    def action_search(self) -> None:
        self.field.display = True
        self.field.focus()

    def on_input_changed(self, event: Input.Changed) -> None:
        event.stop()
        self.view.find(event.value)

    def on_input_submitted(self, event: Input.Submitted) -> None:
        event.stop()
        self._close()

    def _close(self) -> None:
        self.field.display = False
        self.settle()

    def action_next(self, by: int) -> None:
        self.view.find_next(by)

    def action_leave(self) -> None:
        if self.field.display:
            self._close()
        elif self.view.wanted:
            self.field.value = ""
            self.view.find("")
        else:
            raise SkipAction
