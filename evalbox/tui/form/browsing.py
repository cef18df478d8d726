"""Chooses a batch file by its path, which is completed as it is typed."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import ClassVar

from textual.binding import Binding, BindingType

from evalbox.domain.paths import expanded
from evalbox.tui.form.picking import Picking
from evalbox.tui.theme import Tone
from evalbox.tui.widgets.columns import Cell, Column

_ENDINGS = (".yaml", ".yml")
#: Entries of a directory that are looked at.
_MOST = 10_000


@dataclass(frozen=True, slots=True)
class Place:
    """``typed`` is how it is typed."""

    typed: str
    directory: bool


class Browsing(Picking[Place]):
    """Shows the directories and the YAML files that what is typed may become."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("tab", "complete", "complete", id="opening.complete", priority=True,
                tooltip="Type the rest of the path under the cursor"),
    ]  # fmt: skip
    ASKED = "the path of a batch file; tab completes it"
    EMPTY = "no YAML file of that name is there"

    def make_columns(self) -> Sequence[Column[Place]]:
        return [
            Column("path", "FILE", 30, _shown, flex=True),
        ]

    def path_of(self, row: Place) -> Path:
        return Path(row.typed)

    async def find(self, typed: str) -> Sequence[Place]:
        return await asyncio.to_thread(completions, typed.strip())

    def literal(self, typed: str) -> bool:
        return typed.endswith(_ENDINGS)

    def take(self, row: Place) -> None:
        if row.directory:
            self._type(row)
        else:
            super().take(row)

    def action_complete(self) -> None:
        if self.table.current is not None:
            self._type(self.table.current)

    def _type(self, row: Place) -> None:
        self.field.value = row.typed
        self.field.cursor_position = len(row.typed)


def completions(typed: str) -> list[Place]:
    """Files first. Reads a directory, so that it is to be called beside an event loop."""
    before, beginning = os.path.split(typed)
    lead = before if not before or before.endswith("/") else f"{before}/"
    try:
        with os.scandir(expanded(before or ".")) as entries:
            found = [
                Place(f"{lead}{one.name}{'/' * one.is_dir()}", one.is_dir())
                for one in islice(entries, _MOST)
                if _meant(one.name, beginning)
                and (one.is_dir() or one.name.lower().endswith(_ENDINGS))
            ]
    except (OSError, ValueError):
        return []
    return sorted(found, key=lambda place: (place.directory, place.typed))


def _shown(place: Place) -> Cell:
    return Cell(place.typed, Tone.MUTED if place.directory else Tone.STRONG)


def _meant(name: str, beginning: str) -> bool:
    hidden = name.startswith(".") and not beginning.startswith(".")
    return name.startswith(beginning) and not hidden
