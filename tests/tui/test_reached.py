"""The screens over a socket and over TCP."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from api_support import reached
from conftest import PATIENCE, control, in_state, shows, spec, submit, until

from evalbox.domain.evaluation import Priority
from evalbox.domain.state import FINAL, State
from evalbox.tui.screens.evaluation import EvaluationScreen
from evalbox.tui.screens.failures import FailuresScreen
from evalbox.tui.screens.queue import QueueScreen


@pytest.mark.parametrize("way", ["socket", "tcp"])
async def test_what_is_elsewhere_is_seen_and_steered_alike(way: str, tmp_path: Path) -> None:
    async with reached(way, tmp_path / "box") as found:
        here, box = found.served.box, found.box
        complaints = [("error", f"no {place} left", ";", "false") for place in range(3)]
        ids = await submit(
            here, *[spec(f"task {n}", *one, batch="far") for n, one in enumerate(complaints)]
        )
        for one in ids:
            await in_state(here, one, *FINAL)
        async with control(box) as (app, pilot):
            await pilot.press("3")
            await shows(app, "0 % [")
            await pilot.press("4")
            await shows(app, "no # left")
            assert isinstance(app.screen, FailuresScreen)
            await box.pause()
            await pilot.press("r")
            await shows(app, "Queue 3 evaluations again?")
            await pilot.press("y")
            await shows(app, "Nothing has failed.")
            await pilot.press("2")
            await shows(app, "2 ahead: the queue is paused")
            await pilot.press("left_square_bracket")
            async with asyncio.timeout(PATIENCE):
                while (await box.get(ids[0])).spec.priority is not Priority.HIGH:
                    await asyncio.sleep(0.01)
            await pilot.press("H")
            await until(lambda: isinstance(app.screen, QueueScreen) and not app.screen.table.rows)
            await pilot.press("3", "x")
            for one in ids:
                await in_state(here, one, *FINAL)


@pytest.mark.parametrize("way", ["socket", "tcp"])
async def test_the_machine_elsewhere_and_what_is_there(
    way: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tasks").mkdir()
    (tmp_path / "tasks" / "mine.sh").write_text("# Mine, and not there.\nexit 0\n")
    async with reached(way, tmp_path / "box") as found:
        here, box = found.served.box, found.box
        hog = spec("hog", "memory", "400000000", ";", "sleep", "600")
        (running,) = await submit(here, hog)
        await in_state(here, running, State.RUNNING)
        async with control(box, size=(160, 40)) as (app, pilot):
            await pilot.press("5")
            await shows(app, "381M of 512M")
            await pilot.press("x", "y")
            await in_state(here, running, *FINAL)
            await pilot.press("6")
            await shows(app, "evaluation.cancel")
            await shows(app, "cancelled")
            await pilot.press("v")
            await shows(app, "The audit log is sound")
            await pilot.press("escape", "7", "P", *"alpine", "enter")
            await shows(app, "pulled alpine")
            await shows(app, "alpine:latest")
            await pilot.press("slash", *"alpine", "enter", "D", "y")
            await shows(app, "1 image removed")
            await pilot.press("8")
            await shows(app, "mine.sh")
            await pilot.press("r", "y")
            await shows(app, "queued")
            await until(lambda: any(row.name == "mine.sh" for row in app.context.book.rows))


@pytest.mark.parametrize("way", ["socket", "tcp"])
async def test_what_is_elsewhere_is_found_compared_and_exported(
    way: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    async with reached(way, tmp_path / "box") as found:
        here, box = found.served.box, found.box
        worse = spec("task", "error", "oops", ";", "false", batch="b")
        ids = await submit(here, spec("task", batch="a"), worse)
        for one in ids:
            await in_state(here, one, *FINAL)
        async with control(box) as (app, pilot):
            await until(lambda: [row.over for row in app.context.book.rows] == [True, True])
            await pilot.press("a", "C")
            await shows(app, "exit status")
            await pilot.press("escape", "colon", *ids[0][-8:], "enter")
            await until(lambda: isinstance(app.screen, EvaluationScreen))
            await pilot.press("escape", "3")
            await shows(app, "100 % [")
            await pilot.press("a", "C")
            await shows(app, "1 regression")
            await pilot.press("escape", "X", "u", "enter")
            await until(lambda: bool(list(tmp_path.glob("*.xml"))))
            (report,) = tmp_path.glob("*.xml")
            assert b"oops" in report.read_bytes()
