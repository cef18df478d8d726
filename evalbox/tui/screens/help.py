"""Help, made from the bindings themselves."""

from __future__ import annotations

import textwrap
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.screen import ModalScreen

from evalbox.tui.model.query import FIELDS
from evalbox.tui.screens.page import Page
from evalbox.tui.screens.table_page import TablePage
from evalbox.tui.theme import Surface, Tone
from evalbox.tui.widgets.picture import Line, Picture

_KEYS = 16
#: Groups are told in this order, each under its title; others under their own name, before these.
_LATER = {
    "list": "List",
    "sort": "Sorting",
    "table": "Moving about",
    "log": "Log",
    "page": "Screen",
    "screen": "Other screens",
    "app": "Everywhere",
}


class Help(ModalScreen[None]):
    """Of what can be done on ``page``, and of what has the focus there."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,question_mark,f1,q", "dismiss", "back", id="help.back",
                tooltip="Back to the screen"),
        Binding("j,down", "scroll(1)", "down", show=False, id="help.down", tooltip="Down"),
        Binding("k,up", "scroll(-1)", "up", show=False, id="help.up", tooltip="Up"),
        Binding("pagedown,space,ctrl+f", "scroll(10)", "page down", show=False,
                id="help.page_down", tooltip="A page down"),
        Binding("pageup,ctrl+b", "scroll(-10)", "page up", show=False, id="help.page_up",
                tooltip="A page up"),
    ]  # fmt: skip

    def __init__(self, page: Page) -> None:
        super().__init__()
        self._page = page
        self._groups = self._grouped()

    def compose(self) -> ComposeResult:
        with Vertical(id="dialog", classes="high"), VerticalScroll(can_focus=False):
            yield Picture(self._draw, surface=Surface.BAR)

    def _draw(self, width: int) -> list[Line]:
        lines: list[Line] = [[(self._page.NAME, Tone.STRONG)]]
        for title, bindings in self._groups:
            lines += [[], [(title, Tone.STRONG)]]
            for keys, text in bindings:
                lines.append(_explained(keys, text))
        page = self._page
        names = (page.fields() if isinstance(page, TablePage) else {}) or FIELDS
        fields = textwrap.wrap(", ".join(names), max(20, width - _KEYS - 4))
        lines += [
            [],
            [("Filter", Tone.STRONG)],
            _explained("word", "a regular expression, in any case unless it has a capital"),
            _explained("!word", "rows in which it is not found"),
            _explained("field:word", "only in that field:"),
            *(_explained("", line) for line in fields),
            [],
            [("Keys of your own: evalbox keymap tells how they are called.", Tone.MUTED)],
        ]
        return lines

    def _grouped(self) -> list[tuple[str, list[tuple[str, str]]]]:
        """Each action once, with all the keys that do it."""
        keys: dict[tuple[int, str], list[str]] = {}
        groups: dict[str, dict[tuple[int, str], str]] = {}
        for active in self._page.active_bindings.values():
            binding = active.binding
            if active.enabled and binding.id:
                place = (id(active.node), binding.action)
                keys.setdefault(place, []).append(self._page.app.get_key_display(binding))
                group = groups.setdefault(binding.id.partition(".")[0], {})
                if len(keys[place]) == 1:
                    group[place] = binding.tooltip or binding.description
        own = [name for name in groups if name not in _LATER]
        return [
            (
                _LATER.get(name, name.capitalize()),
                [(" ".join(keys[place]), text) for place, text in groups[name].items()],
            )
            for name in [*own, *_LATER]
            if groups.get(name)
        ]

    def action_scroll(self, by: int) -> None:
        self.query_one(VerticalScroll).scroll_relative(y=by, animate=False)


def _explained(word: str, text: str) -> Line:
    return [(f"  {word:<{_KEYS}} ", Tone.ACCENT), (text, Tone.TEXT)]
