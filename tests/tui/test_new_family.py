"""A family of tasks is asked for with the form, and its image made while that waits."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from conftest import control, shows, text_of, until
from test_new import drawn, fill, looked, only
from textual.pilot import Pilot

from evalbox.domain.records import EvaluationFilter
from evalbox.service.local import LocalBox
from evalbox.tasks.standard import planning
from evalbox.tui.app import MissionControl
from evalbox.tui.form.draft import Mode
from evalbox.tui.screens.evaluation import EvaluationScreen
from evalbox.tui.screens.new import NewEvaluation

HOSTILE = "\x1b[31m[red]\u202e" + "x" * 10_000 + "🦆"


@pytest.fixture
def family(tmp_path: Path) -> Path:
    place = tmp_path / "count"
    place.mkdir()
    (place / "count.py").write_text("class TaskFamily: pass\n")
    return place


def building(monkeypatch: pytest.MonkeyPatch, *command: str) -> None:
    """What the fake engine does in place of the driver."""
    monkeypatch.setattr(planning, "BUILD_COMMAND", command)


def described(*tasks: str) -> str:
    one = {"permissions": [], "machine": False}
    return json.dumps({"tasks": dict.fromkeys(tasks, one), "required": []})


async def opened(app: MissionControl, pilot: Pilot[Any], path: Path) -> NewEvaluation:
    app.push_screen(NewEvaluation(app.context, path))
    await until(lambda: isinstance(app.screen, NewEvaluation) and app.screen._ready)
    screen = app.screen
    assert isinstance(screen, NewEvaluation)
    await looked(screen)
    await until(lambda: screen.draft.mode is Mode.FILE)
    await pilot.pause()
    return screen


async def test_a_family_is_submitted_with_its_agent(
    box: LocalBox, family: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    building(monkeypatch, "artifact", planning.DESCRIPTION, described("main", "hard"))
    async with control(box) as (app, pilot):
        screen = await opened(app, pilot, family)
        await until(lambda: "not ready: agent" in text_of(app))
        fill(screen, agent="echo 2 > submission.txt", task="m*", engine="fake")
        await looked(screen)
        await until(lambda: "ready: 1 evaluation" in text_of(app))
        await pilot.press("ctrl+s")
        await until(lambda: isinstance(app.screen, EvaluationScreen))
    spec = await only(box)
    assert (spec.name, spec.labels["agent"]) == ("count/main", "echo 2 > submission.txt")


async def test_a_build_that_fails_is_told_and_the_form_stays(
    box: LocalBox, family: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    building(monkeypatch, "error", HOSTILE, ";", "exit", "3")
    async with control(box, size=(60, 16)) as (app, pilot):
        screen = await opened(app, pilot, family)
        fill(screen, submission=HOSTILE.replace("\x1b", ""), engine="fake")
        await looked(screen)
        await pilot.press("ctrl+s")
        await shows(app, "built: status 3")
        assert not set(drawn(app)) & {"\x1b", "\u202e"}
        await until(lambda: not screen._sending)
        assert app.screen is screen
        assert not await box.list(EvaluationFilter())


async def test_a_task_that_is_not_there_is_told(
    box: LocalBox, family: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    building(monkeypatch, "artifact", planning.DESCRIPTION, described("main"))
    async with control(box) as (app, pilot):
        screen = await opened(app, pilot, family)
        fill(screen, submission="2", task="mian", engine="fake")
        await looked(screen)
        await pilot.press("ctrl+s")
        await shows(app, "has no task like 'mian'")
        assert not await box.list(EvaluationFilter())
