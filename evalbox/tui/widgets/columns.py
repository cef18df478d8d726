"""Columns of a table: what they show, how wide they are, and which fit."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, NamedTuple, TypeVar

from evalbox.tui.theme import Tone

R = TypeVar("R")

#: Cells between two columns.
GAP = 2


class Cell(NamedTuple):
    text: str
    tone: Tone = Tone.TEXT


class Parts(NamedTuple):
    """A cell of several tones, made of glyphs that are one cell wide each."""

    spans: tuple[tuple[str, Tone], ...]


def _always() -> bool:
    return True


@dataclass(frozen=True, slots=True)
class Column(Generic[R]):
    """One column over rows of the kind ``R``.

    ``width`` is in cells; a column with ``flex`` takes what is left, and at least so much. Where
    room is short, columns go in the order of ``rank``, the highest first; 0 stays. ``needed`` says
    whether there is anything to show. ``sort`` gives what rows are ordered by, and ``falling``
    that the greatest comes first; ``live``, that this changes though nothing happens to the rows.
    """

    name: str
    title: str
    width: int
    cell: Callable[[R], Cell | Parts]
    flex: bool = False
    right: bool = False
    rank: int = 0
    needed: Callable[[], bool] = _always
    sort: Callable[[R], Any] | None = None
    falling: bool = False
    live: bool = False


class Placed(NamedTuple):
    """A column at its place: the first cell, and the width there."""

    column: Column[Any]
    x: int
    width: int


def place(columns: Sequence[Column[R]], width: int, *, margin: int) -> tuple[Placed, ...]:
    """The columns that are needed and fit into ``width`` cells behind ``margin``."""
    shown = [column for column in columns if column.needed()]
    while len(shown) > 1 and _least(shown) + margin > width:
        dropped = max(shown, key=lambda column: column.rank)
        if dropped.rank == 0:
            break
        shown.remove(dropped)
    spare = max(0, width - margin - _least(shown))
    flexible = sum(column.flex for column in shown)
    placed, x = [], margin
    for column in shown:
        extra = 0
        if column.flex:
            extra = spare // flexible
            spare, flexible = spare - extra, flexible - 1
        size = max(1, min(column.width + extra, width - x))
        placed.append(Placed(column, x, size))
        x += size + GAP
        if x >= width:
            break
    return tuple(placed)


def _least(columns: Sequence[Column[R]]) -> int:
    return sum(column.width for column in columns) + GAP * max(0, len(columns) - 1)
