"""Chooses what to run: from the tasks that are found, or by its path."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import ClassVar

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Input

from evalbox.tasks.catalogue import Listed, catalogue, places
from evalbox.tui.context import Context
from evalbox.tui.form.entry import printable
from evalbox.tui.theme import Tone
from evalbox.tui.widgets.columns import Cell, Column
from evalbox.tui.widgets.table import Table


class _Wanted(Input):
    def _on_paste(self, event: events.Paste) -> None:
        event.stop()
        event.prevent_default()
        self.insert_text_at_cursor(printable(event.text))


class Opening(ModalScreen[Path]):
    """Gives a path, which may be of nothing."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "dismiss", "back", id="opening.back", tooltip="Leave it"),
        Binding("down", "move(1)", "next", show=False, id="opening.next"),
        Binding("up", "move(-1)", "previous", show=False, id="opening.previous"),
    ]

    def __init__(self, context: Context) -> None:
        super().__init__()
        self._given = context
        self._tasks: tuple[Listed, ...] = ()
        self.table: Table[Listed] = Table(
            [
                Column("name", "TASK", 30, lambda one: Cell(one.name, Tone.STRONG)),
                Column("language", "LANGUAGE", 10, lambda one: Cell(one.language), rank=1),
                Column("summary", "", 10, lambda one: Cell(one.summary, Tone.MUTED), flex=True),
            ],
            identify=lambda task: str(task.path),
            empty="no task of that name: what is typed is taken for a path",
            glyphs=context.glyphs,
            led=True,
        )
        self.table.can_focus = False

    def compose(self) -> ComposeResult:
        with Vertical(id="dialog", classes="high"):
            yield _Wanted(placeholder="the name of a task, or the path of a file", id="wanted")
            yield self.table

    def on_mount(self) -> None:
        self.run_worker(self._look, group="tasks")  # type: ignore[arg-type]

    async def _look(self) -> None:
        roots = places(self._given.options.task_dirs, Path.cwd())
        self._tasks = (await asyncio.to_thread(catalogue, roots)).tasks
        self._show(self.query_one(Input).value)

    def on_input_changed(self, event: Input.Changed) -> None:
        event.stop()
        self._show(event.value)

    def _show(self, typed: str) -> None:
        words = typed.lower().split()
        found = [
            task for task in self._tasks
            if all(word in f"{task.name} {task.summary}".lower() for word in words)
        ]  # fmt: skip
        self.table.show(found)
        self.table.action_top()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        event.stop()
        typed = event.value.strip()
        task = self.table.current
        if task is not None and not _is_path(typed):
            self.dismiss(task.path)
        elif typed:
            self.dismiss(Path(typed))

    def on_table_opened(self, event: Table.Opened) -> None:
        event.stop()
        if self.table.current is not None:
            self.dismiss(self.table.current.path)

    def action_move(self, by: int) -> None:
        self.table.action_move(by)


def _is_path(typed: str) -> bool:
    """Whether it cannot be meant as words to look for."""
    return typed.startswith(("/", "./", "../", "~"))
