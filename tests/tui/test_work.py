"""A person attempts a task, on the screen."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from conftest import control, in_state, shows, spec, submit, text_of, until
from rich.cells import cell_len
from textual.pilot import Pilot

from evalbox.agents.simple import HUMAN
from evalbox.domain.evaluation import AGENT, EvaluationSpec, InputFile
from evalbox.domain.state import State
from evalbox.service import human
from evalbox.service.local import LocalBox
from evalbox.tasks.standard.planning import PLAN
from evalbox.tui.app import MissionControl
from evalbox.tui.screens.evaluation import EvaluationScreen
from evalbox.tui.screens.listing import Listing
from evalbox.tui.screens.new import NewEvaluation
from evalbox.tui.screens.submission import Submission
from evalbox.tui.screens.work import WorkScreen

HOSTILE = "\x1b[2J[red]x[/red] \u202e" + "y" * 500


@pytest.fixture(autouse=True)
def _answers(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the fake engine says in place of the driver's command."""
    answer = {"score": 0.5, "message": {"said": HOSTILE}}
    monkeypatch.setattr(human, "_SCORE", ("echo", json.dumps(answer), ";"))


async def by_hand(box: LocalBox, *, kind: str = HUMAN, visible: bool = True) -> EvaluationSpec:
    plan = {"agent": {"kind": kind}, "deadlines": {"agent": 3600.0}, "visible": visible}
    blob, size = await box.upload(json.dumps(plan).encode())
    return spec(
        "family/task", "artifact", human.INSTRUCTIONS, f"Guess it.\n{HOSTILE}",
        ";", "error", "==> agent", ";", "sleep", "inf",
        kind="task-standard", inputs=(InputFile(PLAN, blob, size),), labels={AGENT: kind},
    )  # fmt: skip


@asynccontextmanager
async def working(
    box: LocalBox, one: EvaluationSpec, **options: Any
) -> AsyncIterator[tuple[MissionControl, Pilot[Any], str]]:
    (evaluation_id,) = await submit(box, one)
    async with control(box, **options) as (app, pilot):
        await until(lambda: app.context.book.active == 1)
        await until(lambda: isinstance(app.screen, Listing) and bool(app.screen.table.current))
        await pilot.press("W")
        await until(lambda: isinstance(app.screen, WorkScreen))
        yield app, pilot, evaluation_id


@pytest.mark.parametrize("size", [(60, 16), (80, 24), (200, 50)])
@pytest.mark.parametrize("plain", [False, True])
async def test_what_is_to_be_done_and_how_long_there_is(
    box: LocalBox, size: tuple[int, int], plain: bool
) -> None:
    async with working(box, await by_hand(box), size=size, ascii=plain) as (app, pilot, _):
        await shows(app, "Guess it.")
        await shows(app, "it is your turn, 59:")
        shown = text_of(app)
        assert not set(shown) & {"\x1b", "\u202e"}
        assert {cell_len(line) for line in shown.splitlines()} == {size[0]}
        for word in ("shell", "score", "submit"):
            assert f" {word} " in shown
        await pilot.press("escape")
        await until(lambda: isinstance(app.screen, Listing))


async def test_scores_between_are_told_and_kept(box: LocalBox) -> None:
    async with working(box, await by_hand(box, visible=False)) as (app, pilot, _):
        await shows(app, "none was asked for: this task does not tell numbers")
        await shows(app, "it is your turn")
        await pilot.press("s")
        await shows(app, "what it was worth")
        await shows(app, "score 0.5")
        await pilot.press("escape")
        await until(lambda: isinstance(app.screen, Listing))
        await pilot.press("W")
        await shows(app, "what it was worth")


async def test_it_is_submitted_once_it_was_looked_at(
    box: LocalBox, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[bytes | None] = []

    async def submitted(_box: object, _id: str, content: bytes | None = None) -> None:
        given.append(content)

    monkeypatch.setattr(human, "submit", submitted)
    async with working(box, await by_hand(box)) as (app, pilot, _):
        await shows(app, "it is your turn")
        for keys, expected in ((("ctrl+s",), None), ((*"42", "ctrl+s"), b"42")):
            await pilot.press("S")
            await until(lambda: isinstance(app.screen, Submission))
            await pilot.press("escape")
            await until(lambda: isinstance(app.screen, WorkScreen))
            await pilot.press("S")
            await until(lambda: isinstance(app.screen, Submission))
            await pilot.press(*keys)
            await until(lambda: isinstance(app.screen, WorkScreen))
            await until(lambda: bool(given))
            assert given == [expected]
            given.clear()


async def test_giving_up_is_asked_about(box: LocalBox) -> None:
    async with working(box, await by_hand(box)) as (app, pilot, evaluation_id):
        await shows(app, "it is your turn")
        await pilot.press("x")
        await shows(app, "Give it up?")
        await pilot.press("n")
        assert not (await box.get(evaluation_id)).cancel_requested
        await pilot.press("x")
        await shows(app, "Give it up?")
        await pilot.press("y")
        await in_state(box, evaluation_id, State.CANCELLED)
        await shows(app, "it has ended")
        await pilot.press("e")
        await shows(app, "it has ended")


async def test_without_a_terminal_a_shell_is_refused(box: LocalBox) -> None:
    async with working(box, await by_hand(box)) as (app, pilot, _):
        await shows(app, "it is your turn")
        await pilot.press("e")
        await shows(app, "a shell needs a terminal")
        await pilot.press("l")
        await until(lambda: isinstance(app.screen, EvaluationScreen))
        await shows(app, " W work on it")


async def test_others_are_not_worked_on(box: LocalBox) -> None:
    await submit(box, await by_hand(box, kind="command"))
    async with control(box) as (app, pilot):
        await until(lambda: app.context.book.active == 1)
        await until(lambda: isinstance(app.screen, Listing) and bool(app.screen.table.current))
        await pilot.press("W")
        await shows(app, "nobody attempts it by hand")
        await pilot.press("enter")
        await until(lambda: isinstance(app.screen, EvaluationScreen))
        assert "work on it" not in text_of(app)


async def test_read_only_works_on_nothing(box: LocalBox) -> None:
    await submit(box, await by_hand(box))
    async with control(box, read_only=True) as (app, pilot):
        await until(lambda: app.context.book.active == 1)
        await pilot.press("W")
        await pilot.pause()
        assert isinstance(app.screen, Listing)


async def test_a_family_is_begun_from_the_tasks(box: LocalBox, tmp_path: Path) -> None:
    family = tmp_path / "count"
    family.mkdir()
    (family / "count.py").write_text("class TaskFamily: pass\n")
    async with control(box, task_dirs=(tmp_path,)) as (app, pilot):
        await pilot.press("8")
        await shows(app, "count")
        await pilot.press("slash", *"name:count", "enter")
        await until(lambda: len(app.screen.view.rows) == 1)  # type: ignore[attr-defined]
        await pilot.press("W")
        await until(lambda: isinstance(app.screen, NewEvaluation))
        assert isinstance(app.screen, NewEvaluation)
        draft = app.screen.draft
        assert (draft.values["agent"], draft.values["timeout"]) == (HUMAN, human.WORKDAY)
