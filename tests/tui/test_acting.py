"""What is done to evaluations from any screen."""

from __future__ import annotations

import asyncio
import csv
import json
from pathlib import Path
from typing import Any

import pytest
from conftest import PATIENCE, control, in_state, shows, spec, submit, text_of, until
from textual.pilot import Pilot
from textual.widgets import Input

from evalbox.domain.evaluation import Priority
from evalbox.domain.state import State
from evalbox.service.local import LocalBox
from evalbox.tui.app import MissionControl
from evalbox.tui.screens.choice import Choice
from evalbox.tui.screens.compare import BatchesCompared, EvaluationsCompared
from evalbox.tui.screens.listing import Listing
from evalbox.tui.screens.prompt import Prompt

HOSTILE = "\x1b[2J[red]x[/red] \u202e=1+1 👩‍👩‍👧"


async def press(pilot: Pilot[Any], *keys: str) -> None:
    await pilot.press(*keys)
    await pilot.pause()


def listing(app: MissionControl) -> Listing:
    assert isinstance(app.screen, Listing)
    return app.screen


async def prioritized(box: LocalBox, evaluation_id: str, wanted: Priority) -> None:
    async with asyncio.timeout(PATIENCE):
        while (await box.get(evaluation_id)).spec.priority is not wanted:
            await asyncio.sleep(0.01)


async def ended(box: LocalBox, *ids: str) -> None:
    for one in ids:
        await in_state(box, one, State.COMPLETED, State.FAILED, State.DEAD)


async def test_priorities_are_changed_and_taken_back(box: LocalBox) -> None:
    await box.pause()
    low, high = await submit(
        box, spec("low", priority=Priority.LOW), spec("high", priority=Priority.HIGH)
    )
    async with control(box) as (app, pilot):
        await until(lambda: len(listing(app).view.rows) == 2)
        await press(pilot, "a", "left_square_bracket")
        await prioritized(box, low, Priority.NORMAL)
        assert (await box.get(high)).spec.priority is Priority.HIGH
        await shows(app, "priority: 1 normal")
        await press(pilot, "ctrl+z")
        await prioritized(box, low, Priority.LOW)
        await press(pilot, "ctrl+z")
        await shows(app, "nothing to take back")
        await press(pilot, "P")
        await shows(app, "Priority of 2 evaluations:")
        await press(pilot, "h")
        await prioritized(box, low, Priority.HIGH)
        await until(lambda: {row.priority for row in listing(app).view.rows} == {0})
        await press(pilot, "left_square_bracket")
        await shows(app, "already first")


async def test_what_does_not_wait_has_no_priority(box: LocalBox) -> None:
    (one,) = await submit(box, spec("done"))
    await ended(box, one)
    async with control(box) as (app, pilot):
        await until(lambda: [row.over for row in listing(app).view.rows] == [True])
        await press(pilot, "P")
        await shows(app, "it does not wait")
        assert isinstance(app.screen, Listing)


async def test_the_id_and_the_document_are_copied(
    box: LocalBox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("TMUX", raising=False)
    one, two = await submit(box, spec("one"), spec("two"))
    await ended(box, one, two)
    copied: list[str] = []

    async def copy(text: str, write: object) -> str:
        copied.append(text)
        return "copied"

    monkeypatch.setattr("evalbox.tui.screens.page.copy", copy)
    async with control(box) as (app, pilot):
        await until(lambda: len(listing(app).view.rows) == 2)
        await press(pilot, "y")
        await until(lambda: copied == [two])
        await press(pilot, "Y")
        await until(lambda: len(copied) == 2)
        assert json.loads(copied[1])["id"] == two
        await press(pilot, "a", "y", "Y")
        await until(lambda: len(copied) == 4)
        assert copied[2] == f"{two}\n{one}"
        assert [item["name"] for item in json.loads(copied[3])] == ["two", "one"]


async def test_what_is_shown_is_exported(
    box: LocalBox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    ids = await submit(box, spec("keep 1"), spec("keep 2"), spec("other"))
    await ended(box, *ids)
    async with control(box) as (app, pilot):
        await press(pilot, "slash", *"keep", "enter")
        await until(lambda: len(listing(app).view.rows) == 2)
        await press(pilot, "X")
        await shows(app, "Export 2 evaluations as")
        await press(pilot, "c")
        assert isinstance(app.screen, Prompt)
        assert app.screen.query_one(Input).value == str(tmp_path / "evaluations.csv")
        await press(pilot, "enter")
        written = tmp_path / "evaluations.csv"
        await until(written.exists)
        rows = list(csv.DictReader(written.read_text(encoding="utf-8").splitlines()))
        assert [row["name"] for row in rows] == ["keep 2", "keep 1"]
        await shows(app, "2 evaluations:")

        # What is there is replaced only by whoever says so.
        written.write_text("mine")
        await press(pilot, "X", "c", "enter")
        await shows(app, "Replace the file that is there?")
        await press(pilot, "enter")
        assert written.read_text() == "mine"
        await press(pilot, "X", "c", "enter")
        await shows(app, "Replace the file that is there?")
        await press(pilot, "y")
        await until(lambda: written.read_text() != "mine")

        # One that is marked goes by its own name.
        await press(pilot, "space", "X", "u", "enter")
        await until((tmp_path / "keep-2.xml").exists)

        # Logs of Inspect are as many as they are, so they go into a directory.
        await press(pilot, "X", "i")
        assert app.screen.query_one(Input).value == str(tmp_path / "keep-2")
        await press(pilot, "enter")
        await until(lambda: len(list((tmp_path / "keep-2").glob("*.eval"))) == 1)
        await shows(app, "1 evaluation:")


async def test_a_file_that_cannot_be_written_is_told(box: LocalBox, tmp_path: Path) -> None:
    (one,) = await submit(box, spec(HOSTILE))
    await ended(box, one)
    async with control(box) as (app, pilot):
        await until(lambda: len(listing(app).view.rows) == 1)
        await press(pilot, "space", "X", "j")
        assert isinstance(app.screen, Prompt)
        field = app.screen.query_one(Input)
        assert Path(field.value).name == "2J-red-x-red-1-1.json"
        field.value = str(tmp_path)
        await press(pilot, "enter")
        await shows(app, "choose another name")
        await press(pilot, "X", "j")
        app.screen.query_one(Input).value = "/proc/no/such"
        await press(pilot, "enter")
        await shows(app, "cannot be written")
        await press(pilot, "X", "j")
        app.screen.query_one(Input).value = "~nobody-has-this-name/x"
        await press(pilot, "enter")
        await shows(app, "nobody has that home")


async def test_two_evaluations_are_compared(box: LocalBox) -> None:
    ids = await submit(box, spec("same"), spec(HOSTILE, "false", labels={"epoch": "[b]1[/b] 👩"}))
    await ended(box, *ids)
    async with control(box) as (app, pilot):
        await until(lambda: len(listing(app).view.rows) == 2)
        await press(pilot, "C")
        await shows(app, "mark the two")
        await press(pilot, "a", "C")
        await until(lambda: isinstance(app.screen, EvaluationsCompared))
        await shows(app, "label epoch")
        await shows(app, "exit status")
        assert "\x1b" not in text_of(app)
        assert "workdir" not in text_of(app)
        await press(pilot, "slash", *"fact:outcome", "enter")
        await shows(app, "1 of ")
        await press(pilot, "escape", "v")
        await shows(app, "attempts")
        await press(pilot, "escape")
        assert isinstance(app.screen, Listing)


@pytest.mark.parametrize("size", [(60, 16), (80, 24), (200, 50)])
async def test_two_batches_are_compared(box: LocalBox, size: tuple[int, int]) -> None:
    ids = await submit(
        box,
        spec("worse", batch="a"), spec("worse", "false", batch="b"),
        spec("better", "false", batch="a"), spec("better", batch="b"),
        spec("equal", batch="a"), spec("equal", batch="b"),
        spec(HOSTILE, batch="b"),
    )  # fmt: skip
    await ended(box, *ids)
    async with control(box, size=size, ascii=True) as (app, pilot):
        app.push_screen(BatchesCompared(app.context, "Batches", "a", "b"))
        await shows(app, "1 regression, 1 fix, 1 only in the second, 1 the same")
        await shows(app, "regression")
        assert "equal" not in text_of(app)
        assert "\x1b" not in text_of(app)
        assert "±" not in text_of(app)
        await press(pilot, "v")
        await shows(app, "equal")
        await press(pilot, "enter")
        await shows(app, "worse")
        await press(pilot, "escape", "escape")
        assert isinstance(app.screen, Listing)


async def test_marks_that_are_gone_are_left_out(box: LocalBox) -> None:
    one, two = await submit(box, spec("one", "false"), spec("two", "false"))
    await ended(box, one, two)
    async with control(box) as (app, pilot):
        await until(lambda: [row.over for row in listing(app).view.rows] == [True] * 2)
        await press(pilot, "a")
        await box.remove([one])
        await until(lambda: len(listing(app).view.rows) == 1)
        await press(pilot, "r")
        async with asyncio.timeout(PATIENCE):
            while (await box.get(two)).attempts < 2:
                await asyncio.sleep(0.01)
        assert not isinstance(app.screen, Choice)


async def test_a_requeue_is_taken_back_where_it_has_not_begun(box: LocalBox) -> None:
    (one,) = await submit(box, spec("bad", "exit", "3"))
    await ended(box, one)
    await box.pause()
    async with control(box) as (app, pilot):
        await until(lambda: len(listing(app).view.rows) == 1)
        await press(pilot, "r")
        await shows(app, "1 evaluation queued again")
        await in_state(box, one, State.QUEUED)
        await until(lambda: app.context.book.states[State.QUEUED] == 1)
        await press(pilot, "u")
        await shows(app, "taken back (1 evaluation queued")
        await in_state(box, one, State.CANCELLED)


async def test_what_has_begun_goes_on(box: LocalBox) -> None:
    (one,) = await submit(box, spec("slow", "sleep", "inf"))
    await in_state(box, one, State.RUNNING)
    await box.cancel([one])
    await in_state(box, one, State.CANCELLED)
    async with control(box) as (app, pilot):
        await until(lambda: app.context.book.states[State.CANCELLED] == 1)
        await until(lambda: len(listing(app).view.rows) == 1)
        await press(pilot, "r")
        await until(lambda: app.context.book.active == 1)
        await in_state(box, one, State.RUNNING)
        await press(pilot, "u")
        await shows(app, "taken back (1 evaluation queued")
        await shows(app, "already")
        assert not (await box.get(one)).cancel_requested
