"""A dialog in which a file is chosen: what is typed narrows a list, or is a path itself."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar, Generic

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Input

from evalbox.tui.context import Context
from evalbox.tui.form.entry import printable
from evalbox.tui.widgets.columns import Column, R
from evalbox.tui.widgets.table import Table


class _Wanted(Input):
    def _on_paste(self, event: events.Paste) -> None:
        event.stop()
        event.prevent_default()
        self.insert_text_at_cursor(printable(event.text))


class Picking(ModalScreen[Path], Generic[R]):
    """Gives a path, which may be of nothing; nothing on escape.

    ``make_columns``, ``path_of`` and ``find`` make the difference.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "dismiss", "back", id="opening.back", tooltip="Leave it"),
        Binding("down", "move(1)", "next", show=False, id="opening.next"),
        Binding("up", "move(-1)", "previous", show=False, id="opening.previous"),
    ]
    #: What the field asks for, and what stands in place of no rows.
    ASKED = ""
    EMPTY = ""

    def __init__(self, context: Context) -> None:
        super().__init__()
        self._given = context
        self.field = _Wanted(placeholder=self.ASKED, id="wanted")
        self.table: Table[R] = Table(
            self.make_columns(),
            identify=lambda row: str(self.path_of(row)),
            empty=self.EMPTY,
            glyphs=context.glyphs,
            led=True,
        )
        self.table.can_focus = False

    def make_columns(self) -> Sequence[Column[R]]:
        raise NotImplementedError

    def path_of(self, row: R) -> Path:
        raise NotImplementedError

    async def find(self, typed: str) -> Sequence[R]:
        """What may be meant."""
        raise NotImplementedError

    def compose(self) -> ComposeResult:
        with Vertical(id="dialog", classes="high"):
            yield self.field
            yield self.table

    def on_mount(self) -> None:
        self._look()

    def on_input_changed(self, event: Input.Changed) -> None:
        event.stop()
        self._look()

    def _look(self) -> None:
        self.run_worker(self._find, group="find", exclusive=True)  # type: ignore[arg-type]

    async def _find(self) -> None:
        self.table.show(await self.find(self.field.value))
        self.table.action_top()

    async def on_input_submitted(self, event: Input.Submitted) -> None:
        """What is typed counts, although its rows may not be shown yet."""
        event.stop()
        await self._find()
        typed, row = event.value.strip(), self.table.current
        if row is not None and not self.literal(typed):
            self.take(row)
        elif typed:
            self.dismiss(Path(typed))

    def literal(self, typed: str) -> bool:
        """Whether it is to be taken for a path, whatever is found."""
        return False

    def take(self, row: R) -> None:
        self.dismiss(self.path_of(row))

    def on_table_opened(self, event: Table.Opened) -> None:
        event.stop()
        if self.table.current is not None:
            self.take(self.table.current)

    def action_move(self, by: int) -> None:
        self.table.action_move(by)
