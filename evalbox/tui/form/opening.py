"""Chooses what to run: from the tasks that are found, or by its path."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

from evalbox.tasks.catalogue import Listed, catalogue, places
from evalbox.tui.context import Context
from evalbox.tui.form.picking import Picking
from evalbox.tui.theme import Tone
from evalbox.tui.widgets.columns import Cell, Column


class Opening(Picking[Listed]):
    ASKED = "the name of a task, or the path of a file"
    EMPTY = "no task of that name: what is typed is taken for a path"

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._tasks: tuple[Listed, ...] | None = None

    def make_columns(self) -> Sequence[Column[Listed]]:
        return [
            Column("name", "TASK", 30, lambda one: Cell(one.name, Tone.STRONG)),
            Column("language", "LANGUAGE", 10, lambda one: Cell(one.language), rank=1),
            Column("summary", "", 10, lambda one: Cell(one.summary, Tone.MUTED), flex=True),
        ]

    def path_of(self, row: Listed) -> Path:
        return row.path

    async def find(self, typed: str) -> Sequence[Listed]:
        if self._tasks is None:
            roots = places(self._given.options.task_dirs, Path.cwd())
            self._tasks = (await asyncio.to_thread(catalogue, roots)).tasks
        words = typed.lower().split()
        return [
            task for task in self._tasks
            if all(word in f"{task.name} {task.summary}".lower() for word in words)
        ]  # fmt: skip

    def literal(self, typed: str) -> bool:
        """Whether it cannot be meant as words to look for."""
        return typed.startswith(("/", "./", "../", "~"))
