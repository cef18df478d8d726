"""Every action by its name."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.dom import DOMNode
from textual.screen import ModalScreen
from textual.widgets import Input

from evalbox.tui.context import Context
from evalbox.tui.screens.page import PAGES, Page, page_class
from evalbox.tui.theme import Tone
from evalbox.tui.widgets.columns import Cell, Column
from evalbox.tui.widgets.table import Table

#: Moving about is done by keys, and this is the palette.
_LEFT_OUT = frozenset({"table", "palette"})
_OF_ALL = frozenset({"app", "list", "page", "screen", "sort"})
_ID = re.compile(r"[0-9a-z]{3,32}", re.IGNORECASE)

Display = Callable[[Binding], str]


@dataclass(frozen=True, slots=True)
class Command:
    """``name`` is ``noun: verb``. It is done on ``node``, or on the screen of ``page``."""

    name: str
    key: str
    action: str
    node: DOMNode | None = None
    page: str = ""


def commands(screen: Page, display: Display) -> list[Command]:
    """What can be done on ``screen`` now, each once."""
    found: dict[tuple[int, str], Command] = {}
    for active in screen.active_bindings.values():
        binding, node = active.binding, active.node
        if active.enabled and (name := _name(binding)):
            place = (id(node), binding.action)
            # Of several keys the one that is told elsewhere too.
            if binding.show or place not in found:
                found[place] = Command(name, display(binding), binding.action, node=node)
    return sorted(found.values(), key=_rank)


def elsewhere(screen: Page, display: Display, here: Iterable[Command]) -> list[Command]:
    """What only other screens can do, which are then gone to."""
    seen = {command.name for command in here}
    found: dict[str, Command] = {}
    for page in PAGES:
        node = page_class(page)
        for listed in node._merge_bindings().key_to_bindings.values():
            for binding in listed:
                name = _name(binding)
                changes = binding.action.partition("(")[0] in node.CHANGING
                if name and name not in seen and not (changes and screen.context.options.read_only):
                    command = Command(name, display(binding), binding.action, page=page)
                    found.setdefault(name, command)
    return sorted(found.values(), key=_rank)


def _rank(command: Command) -> tuple[bool, str]:
    """What is of this screen comes before what is of all."""
    return command.name.partition(":")[0] in _OF_ALL, command.name


def _name(binding: Binding) -> str:
    """Empty for what is no command."""
    noun = (binding.id or "").partition(".")[0]
    if not noun or noun in _LEFT_OUT or binding.action == "palette":
        return ""
    verb = binding.tooltip or binding.description
    return f"{noun}: {verb[0].lower()}{verb[1:]}"


class Palette(ModalScreen[Command]):
    """Gives what was chosen. What looks like an id is one more command."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "dismiss", "back", id="palette.back", tooltip="Leave it"),
        Binding("down", "move(1)", "next", show=False, id="palette.next", tooltip="The next"),
        Binding("up", "move(-1)", "previous", show=False, id="palette.previous",
                tooltip="The one before"),
    ]  # fmt: skip

    def __init__(
        self, context: Context, found: list[Command], more: Callable[[], list[Command]]
    ) -> None:
        """``more`` is called in a thread, since other screens have to be loaded for it."""
        super().__init__()
        self._commands = found
        self._more = more
        self._table: Table[Command] = Table(
            [
                Column("name", "ACTION", 30, lambda one: Cell(one.name), flex=True),
                Column("page", "SCREEN", 11, lambda one: Cell(one.page, Tone.MUTED), rank=1),
                Column("key", "KEY", 10, lambda one: Cell(one.key, Tone.ACCENT)),
            ],
            identify=lambda command: f"{command.page} {command.name}",
            empty="nothing by that name",
            glyphs=context.glyphs,
            led=True,
        )
        self._table.can_focus = False

    def compose(self) -> ComposeResult:
        with Vertical(id="dialog", classes="high"):
            yield Input(placeholder="type what you want to do, or an id", id="wanted")
            yield self._table

    def on_mount(self) -> None:
        self._find()
        self.run_worker(self._load, name="palette")  # type: ignore[arg-type]

    async def _load(self) -> None:
        self._commands = [*self._commands, *await asyncio.to_thread(self._more)]
        self._find()

    def on_input_changed(self) -> None:
        self._find()
        self._table.action_top()

    def _find(self) -> None:
        typed = self.query_one(Input).value.strip()
        words = typed.lower().split()
        found = [one for one in self._commands if all(word in one.name.lower() for word in words)]
        if _ID.fullmatch(typed) and any(character.isdigit() for character in typed):
            found.append(Command(f"evaluation: go to {typed}", "", f"app.open({typed!r})"))
        self._table.show(found)

    def on_input_submitted(self) -> None:
        self.dismiss(self._table.current)

    def action_move(self, by: int) -> None:
        self._table.action_move(by)
