"""Every action by its name."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import ActiveBinding, Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Input

from evalbox.tui.context import Context
from evalbox.tui.theme import Tone
from evalbox.tui.widgets.columns import Cell, Column
from evalbox.tui.widgets.table import Table


@dataclass(frozen=True, slots=True)
class Command:
    """``name`` is ``noun: verb``; ``binding`` is what it stands for."""

    name: str
    key: str
    active: ActiveBinding


def commands(active: list[ActiveBinding], display: dict[str, str]) -> list[Command]:
    """What can be done, each once. ``display`` shows keys as people read them."""
    found: dict[tuple[int, str], Command] = {}
    for one in active:
        binding = one.binding
        if not one.enabled or not binding.id:
            continue
        noun = binding.id.partition(".")[0]
        if noun == "table" or binding.action == "palette":
            continue
        verb = binding.tooltip or binding.description
        name = f"{noun}: {verb[0].lower()}{verb[1:]}"
        place = (id(one.node), binding.action)
        found.setdefault(place, Command(name, display[binding.key], one))
    return sorted(found.values(), key=lambda command: command.name)


class Palette(ModalScreen[ActiveBinding]):
    """Gives the binding whose action was chosen."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "dismiss", "back", id="palette.back"),
        Binding("down", "move(1)", "next", show=False, id="palette.next"),
        Binding("up", "move(-1)", "previous", show=False, id="palette.previous"),
    ]

    def __init__(self, context: Context, found: list[Command]) -> None:
        super().__init__()
        self._commands = found
        self._table: Table[Command] = Table(
            [
                Column("name", "ACTION", 30, lambda one: Cell(one.name), flex=True),
                Column("key", "KEY", 10, lambda one: Cell(one.key, Tone.ACCENT)),
            ],
            identify=lambda command: command.name,
            empty="nothing by that name",
            glyphs=context.glyphs,
            led=True,
        )
        self._table.can_focus = False

    def compose(self) -> ComposeResult:
        with Vertical(id="dialog", classes="high"):
            yield Input(placeholder="type what you want to do", id="wanted")
            yield self._table

    def on_mount(self) -> None:
        self._table.show(self._commands)

    def on_input_changed(self, event: Input.Changed) -> None:
        words = event.value.lower().split()
        found = [one for one in self._commands if all(word in one.name.lower() for word in words)]
        self._table.show(found)
        self._table.action_top()

    def on_input_submitted(self) -> None:
        chosen = self._table.current
        self.dismiss(None if chosen is None else chosen.active)

    def action_move(self, by: int) -> None:
        self._table.action_move(by)
