"""The evaluations of one group: of a batch, or with one cause of failure."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

from textual.binding import Binding, BindingType

from evalbox.tui.context import Context
from evalbox.tui.model.row import Row
from evalbox.tui.model.view import View
from evalbox.tui.screens.evaluations import EvaluationsScreen
from evalbox.tui.text import steady
from evalbox.tui.theme import Tone
from evalbox.tui.widgets.picture import Line


class Within(EvaluationsScreen):
    """``belongs`` says which are in it, ``title`` what it is, and ``page`` where it was found."""

    EMPTY = "None of them is here any more."
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "clear", "back", id="within.back",
                tooltip="Forget the marks, then the filter, then go back"),
    ]  # fmt: skip

    def __init__(
        self, context: Context, *, page: str, title: str, belongs: Callable[[Row], bool]
    ) -> None:
        self.NAME = page
        self._title = title
        self._belongs = belongs
        super().__init__(context)

    def make_view(self) -> View:
        return View(self.context.book, always=self._belongs)

    def aside(self) -> Line:
        return [(f"{steady(self._title)} ", Tone.MUTED)]

    def back(self) -> None:
        self.app.pop_screen()
