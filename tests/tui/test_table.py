"""The table by itself: over any rows, drawn no more than it has to be."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import pytest
from test_look import HOSTILE
from textual.app import App, ComposeResult
from textual.pilot import Pilot
from textual.strip import Strip

from evalbox.tui import theme
from evalbox.tui.widgets.columns import Cell, Column, Parts, place
from evalbox.tui.widgets.table import Table


@dataclass(slots=True, eq=False)
class Thing:
    name: str
    size: int = 0


class Counted(Table[Thing]):
    """Knows which lines were drawn."""

    def __init__(self, *columns: Column[Thing]) -> None:
        super().__init__(columns, identify=lambda thing: thing.name, empty="nothing here")
        self.drawn: list[int] = []

    def render_line(self, y: int) -> Strip:
        self.drawn.append(y)
        return super().render_line(y)


class Shown(App[None]):
    CSS = "Counted { height: 1fr; overflow-y: auto; overflow-x: hidden; }"

    def __init__(self, *columns: Column[Thing]) -> None:
        super().__init__()
        for one in theme.themes():
            self.register_theme(one)
        self.theme = theme.theme_name("dark", colour=True)
        self.table = Counted(*columns)
        self.sorted: list[str] = []
        self.opened: list[Thing] = []

    def compose(self) -> ComposeResult:
        yield self.table

    def on_mount(self) -> None:
        self.table.focus()

    def on_table_sorted(self, event: Table.Sorted) -> None:
        self.sorted.append(event.column)

    def on_table_opened(self, event: Table.Opened) -> None:
        assert isinstance(event.row, Thing)
        self.opened.append(event.row)


def columns() -> list[Column[Thing]]:
    return [
        Column("name", "NAME", 10, lambda thing: Cell(thing.name), flex=True,
               sort=lambda thing: thing.name),
        Column("size", "SIZE", 6, lambda thing: Cell(str(thing.size)), right=True),
    ]  # fmt: skip


@asynccontextmanager
async def shown(
    *things: Thing, size: tuple[int, int] = (40, 10)
) -> AsyncIterator[tuple[Shown, Pilot[Any]]]:
    app = Shown(*columns())
    async with app.run_test(size=size) as pilot:
        app.table.show(list(things))
        # The scrollbar takes a column, and then all is placed once more.
        await pilot.pause()
        app.table.look()
        await pilot.pause()
        yield app, pilot


def lines(app: Shown) -> list[str]:
    return [strip.text.rstrip() for strip in app.screen._compositor.render_strips()]


async def test_only_lines_that_changed_are_drawn() -> None:
    things = [Thing(f"thing {number}") for number in range(100_000)]
    async with shown(*things) as (app, pilot):
        app.table.drawn.clear()
        app.table.look()
        await pilot.pause()
        assert app.table.drawn == []
        things[3].size = 7
        things[500].size = 7
        app.table.look()
        await pilot.pause()
        assert set(app.table.drawn) == {4}
        assert lines(app)[4].split() == ["thing", "3", "7"]


async def test_what_came_first_is_followed_and_any_other_row_held() -> None:
    things = [Thing(f"thing {number}") for number in range(50)]
    async with shown(*things) as (app, pilot):
        app.table.show([Thing("newer"), *things])
        assert app.table.current is app.table.rows[0]
        await pilot.press("j", "j")
        held = app.table.current
        app.table.show([Thing("newest"), *app.table.rows])
        assert app.table.current is held
        assert app.table.cursor - app.table.scroll_offset.y == 2


async def test_the_mouse_sorts_chooses_opens_and_scrolls() -> None:
    things = [Thing(f"thing {number}") for number in range(50)]
    async with shown(*things) as (app, pilot):
        await pilot.click(Counted, offset=(5, 0))
        assert app.sorted == ["name"]
        # By sizes nothing is ordered here.
        await pilot.click(Counted, offset=(36, 0))
        assert app.sorted == ["name"]
        await pilot.click(Counted, offset=(5, 4))
        assert app.table.current is things[3]
        await pilot.click(Counted, offset=(5, 4), times=2)
        await pilot.pause()
        assert app.opened == [things[3]]
        app.table.scroll_down(animate=False, immediate=True)
        assert app.table.scroll_offset.y == 1
        assert app.table.current is things[3]
        app.table.scroll_to(y=20, animate=False, immediate=True)
        assert app.table.current is things[20]


async def test_rows_come_and_go_altogether() -> None:
    async with shown() as (app, pilot):
        assert "nothing here" in lines(app)[2]
        app.table.show([Thing("one")])
        await pilot.pause()
        assert lines(app)[1].split() == ["▌", "one", "0"]
        assert not any("nothing here" in line for line in lines(app))
        app.table.show([])
        await pilot.pause()
        assert "nothing here" in lines(app)[2]
        assert app.table.current is None
        await pilot.press("enter", "j", "G", "pageup")
        assert app.opened == []


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
async def test_hostile_text_stays_in_its_column(text: str) -> None:
    async with shown(Thing(text, 42)) as (app, _):
        (line,) = [strip for strip in app.screen._compositor.render_strips() if "42" in strip.text]
        assert line.cell_length == 40
        assert line.text.split()[-1] == "42"
        assert "\x1b" not in line.text


def test_a_cell_of_several_tones_fills_its_column() -> None:
    table = Table([], identify=str)
    spans = (("##", theme.Tone.GOOD), ("....", theme.Tone.FAINT))
    (placed,) = place([Column("bar", "BAR", 4, lambda _: Parts(spans))], 7, margin=3)
    pieces = table._pieces(placed, Parts(spans))
    assert [piece.text for piece in pieces] == ["##", "..", "  "]
