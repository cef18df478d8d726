"""What each key does, on the real service."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from conftest import PATIENCE, control, in_state, shows, spec, submit, text_of, until
from textual.pilot import Pilot

from evalbox.domain.state import State
from evalbox.service.local import LocalBox
from evalbox.tui.app import MissionControl
from evalbox.tui.ending import Ending
from evalbox.tui.model.row import Row
from evalbox.tui.screens.choice import Choice
from evalbox.tui.screens.evaluation import EvaluationScreen
from evalbox.tui.screens.listing import Listing


def rows(app: MissionControl) -> list[Row]:
    assert isinstance(app.screen, Listing)
    return list(app.screen.table.rows)


def listing(app: MissionControl) -> Listing:
    assert isinstance(app.screen, Listing)
    return app.screen


async def press(pilot: Pilot[Any], *keys: str) -> None:
    await pilot.press(*keys)
    await pilot.pause()


async def test_the_table_lives(box: LocalBox) -> None:
    async with control(box) as (app, _):
        await shows(app, "Nothing has been submitted yet")
        (one,) = await submit(box, spec("first", "sleep", "60"))
        await shows(app, "● running")
        await submit(box, spec("second", "false"))
        await shows(app, "✗ failed")
        await shows(app, "exit status 1")
        # What is under way stays on top.
        assert [row.name for row in rows(app)] == ["first", "second"]
        await box.cancel([one])
        await shows(app, "– cancelled")
        await box.remove([one])
        await until(lambda: [row.name for row in rows(app)] == ["second"])
        await until(lambda: not app.context.book.strangers)


async def test_the_cursor_stays_on_its_row_while_others_come(box: LocalBox) -> None:
    await box.pause()
    await submit(box, *[spec(f"old {place}") for place in range(100)])
    async with control(box, size=(100, 20)) as (app, pilot):
        await press(pilot, *"jjjjjjjjjj")
        table = listing(app).table
        current = table.current
        assert current is not None
        y = table.cursor - table.scroll_offset.y
        await submit(box, *[spec(f"new {place}") for place in range(50)])
        await until(lambda: len(table.rows) == 150)
        await pilot.pause()
        assert table.current is current
        assert table.cursor - table.scroll_offset.y == y
        await press(pilot, "G")
        assert table.cursor == 149
        await press(pilot, "g", "pagedown")
        assert 10 < table.cursor < 20
        await press(pilot, "g")
        await submit(box, spec("newest"))
        await until(lambda: table.current is not None and table.current.name == "newest")


async def test_filtering(box: LocalBox) -> None:
    await submit(box, spec("fizz", batch="a"), spec("buzz", "false"), spec("fizzbuzz", "false"))
    async with control(box) as (app, pilot):
        await until(lambda: [row.over for row in rows(app)] == [True] * 3)
        await press(pilot, "slash", *"fizz")
        await until(lambda: {row.name for row in rows(app)} == {"fizz", "fizzbuzz"})
        await press(pilot, "space", *"!state:fai")
        await until(lambda: [row.name for row in rows(app)] == ["fizz"])
        await shows(app, "1 of 3  filter fizz !state:fai")
        await press(pilot, "enter")
        assert listing(app).table.has_focus
        # What is typed now is keys again, and the filter is still in force.
        await press(pilot, "j")
        assert len(rows(app)) == 1
        await press(pilot, "escape")
        await until(lambda: len(rows(app)) == 3)
        await press(pilot, "slash", *"(")
        await shows(app, "'(':")
        await press(pilot, "escape")
        await until(lambda: len(rows(app)) == 3)


async def test_sorting(box: LocalBox) -> None:
    await box.pause()
    await submit(box, spec("b"), spec("c"), spec("a"))
    async with control(box) as (app, pilot):
        await until(lambda: [row.name for row in rows(app)] == ["a", "c", "b"])
        await press(pilot, "T")
        await until(lambda: [row.name for row in rows(app)] == ["a", "b", "c"])
        await shows(app, "TASK↑")
        await press(pilot, "T")
        await until(lambda: [row.name for row in rows(app)] == ["c", "b", "a"])
        await shows(app, "TASK↓")
        found = []
        while listing(app).view.order is not None:
            found.append(listing(app).table.sorted_by)
            await press(pilot, "s")
        assert found[:2] == [("task", True), ("outcome", False)]
        assert len(found) == len(set(found))


async def test_cancelling_asks_and_no_is_the_first_answer(box: LocalBox) -> None:
    (one,) = await submit(box, spec("precious", "sleep", "600"))
    await in_state(box, one, State.RUNNING)
    async with control(box) as (app, pilot):
        await until(lambda: len(rows(app)) == 1)
        await press(pilot, "x")
        await shows(app, "Cancel 1 evaluation?")
        await shows(app, "precious")
        await press(pilot, "enter")
        assert isinstance(app.screen, Listing)
        await press(pilot, "x", "escape")
        assert (await box.get(one)).state is State.RUNNING
        await press(pilot, "x", "y")
        await in_state(box, one, State.CANCELLED)
        await press(pilot, "x")
        await shows(app, "nothing to cancel")


async def test_marks_are_acted_upon_together(box: LocalBox) -> None:
    ids = await submit(box, *[spec(f"task {place}", "false") for place in range(6)])
    for one in ids:
        await in_state(box, one, State.FAILED)
    # Wide: columns of what is under way may have come for a moment, and would take the place.
    async with control(box, size=(200, 40)) as (app, pilot):
        await until(lambda: [row.over for row in rows(app)] == [True] * 6)
        await press(pilot, "space", "space")
        await shows(app, "2 marked")
        await press(pilot, "D", "y")
        await until(lambda: len(rows(app)) == 4)
        await press(pilot, "a")
        await shows(app, "4 marked")
        await press(pilot, "escape")
        assert not listing(app).table.marked
        await press(pilot, "a", "r")
        await shows(app, "Queue 4 evaluations again?")
        await press(pilot, "y")
        for one in ids[:4]:
            async with asyncio.timeout(PATIENCE):
                while (await box.get(one)).attempts < 2:
                    await asyncio.sleep(0.01)
        await shows(app, "TRIES")


async def test_what_the_service_refuses_is_told(box: LocalBox) -> None:
    (one,) = await submit(box, spec("done"))
    await in_state(box, one, State.COMPLETED)
    async with control(box) as (app, pilot):
        await until(lambda: [row.over for row in rows(app)] == [True])
        await press(pilot, "D")
        await box.remove([one])
        await press(pilot, "y")
        await shows(app, "no evaluation")


async def test_read_only_has_nothing_that_changes(box: LocalBox) -> None:
    (one,) = await submit(box, spec("precious", "sleep", "600"))
    await in_state(box, one, State.RUNNING)
    async with control(box, read_only=True) as (app, pilot):
        await shows(app, "read-only")
        for page, keys in (("1", "xrD"), ("2", "xrDH=+-"), ("1", "")):
            await press(pilot, page, *keys)
            assert not isinstance(app.screen, Choice)
        footer = text_of(app).split("\n")[-1]
        assert "cancel" not in footer
        await press(pilot, "question_mark")
        assert "Cancel" not in text_of(app)
        await press(pilot, "escape", "enter", "x", "r")
        assert isinstance(app.screen, EvaluationScreen)
        assert (await box.get(one)).state is State.RUNNING
        assert not (await box.queue()).paused


async def test_one_evaluation(box: LocalBox) -> None:
    (one,) = await submit(
        box,
        spec("talks", "echo", "needle one", ";", "error", "oops", ";", "memory", "100000000", ";",
             "sleep", "1", ";", "echo", "needle two", ";", "exit", "3"),
    )  # fmt: skip
    async with control(box) as (app, pilot):
        await until(lambda: len(rows(app)) == 1)
        await press(pilot, "enter")
        await shows(app, "needle one")
        await shows(app, "oops")
        await in_state(box, one, State.FAILED)
        await shows(app, "needle two")
        await shows(app, "✗ failed")
        await shows(app, "exit 3")
        await press(pilot, "slash", *"needle", "enter")
        await shows(app, "2 lines found")
        await press(pilot, "n", "N", "t", "w", "f")
        await press(pilot, "escape")
        assert isinstance(app.screen, EvaluationScreen)
        await press(pilot, "4")
        await shows(app, "evaluation.starting")
        await press(pilot, "9")
        await shows(app, "try 1")
        await press(pilot, "5")
        await shows(app, "of 512M")
        await press(pilot, "z")
        assert "1 summary" not in text_of(app)
        await press(pilot, "z", "l", "r")
        async with asyncio.timeout(PATIENCE):
            while (await box.get(one)).attempts < 2:
                await asyncio.sleep(0.01)
        await shows(app, "try 2")
        await press(pilot, "escape")
        assert isinstance(app.screen, Listing)


async def test_hostile_output_is_text(box: LocalBox) -> None:
    # Bytes as a job prints them, by way of its standard input.
    hostile = b"\x1b[2J\x1b]0;owned\x07[red]markup[/red] \xff\xfe \xe2\x80\xae rtl\r\n"
    hostile += b"y" * 10_000
    blob, size = await box.upload(hostile)
    from evalbox.domain.evaluation import InputFile

    (one,) = await submit(box, spec("cat", "cat", stdin=InputFile("/dev/stdin", blob, size)))
    await in_state(box, one, State.COMPLETED)
    async with control(box) as (app, pilot):
        await until(lambda: len(rows(app)) == 1)
        await press(pilot, "enter")
        await shows(app, "yyyy")
        await press(pilot, "g")
        await shows(app, "^[[2J^[]0;owned^G[red]markup[/red]")
        await shows(app, "<U+202E> rtl")
        await press(pilot, "w")
        await press(pilot, "right", "right")
        assert "\x1b" not in text_of(app)


async def test_leaving_an_idle_box_asks_nothing(box: LocalBox) -> None:
    async with control(box) as (app, pilot):
        await press(pilot, "q")
        await until(lambda: app.return_value is Ending.QUIT)


@pytest.mark.parametrize(
    ("key", "ending"), [("l", Ending.LEAVE), ("d", Ending.DRAIN), ("c", Ending.CANCEL)]
)
async def test_leaving_work_asks_what_becomes_of_it(
    box: LocalBox, key: str, ending: Ending
) -> None:
    (one,) = await submit(box, spec("works", "sleep", "600"))
    await in_state(box, one, State.RUNNING)
    async with control(box) as (app, pilot):
        await press(pilot, "q")
        await shows(app, "1 evaluation under way")
        await press(pilot, "escape")
        assert isinstance(app.screen, Listing)
        await press(pilot, "q")
        await shows(app, "1 evaluation under way")
        await press(pilot, key)
        await until(lambda: app.return_value is ending)


async def test_themes(box: LocalBox) -> None:
    async with control(box) as (app, pilot):
        await press(pilot, "ctrl+t")
        assert app.theme == "evalbox-light"
        await press(pilot, "ctrl+t")
        assert app.theme == "evalbox-dark"
