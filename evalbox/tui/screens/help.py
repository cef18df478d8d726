"""Help, made from the bindings themselves."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import ActiveBinding, Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.screen import ModalScreen

from evalbox.tui.model.query import FIELDS
from evalbox.tui.theme import Surface, Tone
from evalbox.tui.widgets.picture import Line, Picture

_KEYS = 16


class Help(ModalScreen[None]):
    """``bindings`` are those of the screen that was left."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,question_mark,f1,q", "dismiss", "back", id="help.back"),
        Binding("j,down", "scroll(1)", "down", show=False, id="help.down"),
        Binding("k,up", "scroll(-1)", "up", show=False, id="help.up"),
    ]

    def __init__(self, title: str, bindings: list[ActiveBinding]) -> None:
        super().__init__()
        self._title = title
        self._active = bindings

    def compose(self) -> ComposeResult:
        with Vertical(id="dialog", classes="high"), VerticalScroll(can_focus=False):
            yield Picture(self._draw, surface=Surface.BAR)

    def _draw(self, width: int) -> list[Line]:
        lines: list[Line] = [[(self._title, Tone.STRONG)], []]
        for keys, binding in self._by_action():
            lines.append(
                [
                    (f"  {keys:<{_KEYS}} ", Tone.ACCENT),
                    (binding.tooltip or binding.description, Tone.TEXT),
                ]
            )
        lines += [
            [],
            [("Filter", Tone.STRONG)],
            [],
            _explained("word", "a regular expression, in any case unless it has a capital"),
            _explained("!word", "rows in which it is not found"),
            _explained("field:word", "only in that field:"),
            _explained("", ", ".join(FIELDS)),
        ]
        return lines

    def _by_action(self) -> list[tuple[str, Binding]]:
        """Each action once, with all the keys that do it."""
        found: dict[tuple[int, str], tuple[list[str], Binding]] = {}
        for active in self._active:
            binding = active.binding
            if not active.enabled or not binding.id:
                continue
            place = (id(active.node), binding.action)
            keys, _ = found.setdefault(place, ([], binding))
            keys.append(self.app.get_key_display(binding))
        return [(" ".join(keys), binding) for keys, binding in found.values()]

    def action_scroll(self, by: int) -> None:
        self.query_one(VerticalScroll).scroll_relative(y=by, animate=False)


def _explained(word: str, text: str) -> Line:
    return [(f"  {word:<{_KEYS}} ", Tone.ACCENT), (text, Tone.TEXT)]
