"""What can be run."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest
from conftest import PATIENCE, control, in_state, shows, spec, submit, text_of, until
from textual.pilot import Pilot

from evalbox.domain.state import State
from evalbox.service.local import LocalBox
from evalbox.tasks.catalogue import Catalogue
from evalbox.tui.app import MissionControl
from evalbox.tui.preview import MAX_LINES, preview
from evalbox.tui.screens.choice import Choice
from evalbox.tui.screens.new import NewEvaluation
from evalbox.tui.screens.tasks import TasksScreen
from evalbox.tui.theme import Tone

TASKS = "8"
HELLO = '#!/bin/sh\n# Says hello.\necho "hello"\n'


async def press(pilot: Pilot[Any], *keys: str) -> None:
    await pilot.press(*keys)
    await pilot.pause()


def screen_of(app: MissionControl) -> TasksScreen:
    assert isinstance(app.screen, TasksScreen)
    return app.screen


@pytest.fixture
def tasks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory of tasks, from above which evalbox is started; there are no samples."""
    monkeypatch.setattr("evalbox.tasks.catalogue.samples", lambda: None)
    monkeypatch.chdir(tmp_path)
    directory = tmp_path / "tasks"
    directory.mkdir()
    (directory / "hello.sh").write_text(HELLO)
    (directory / "deep").mkdir()
    (directory / "deep" / "count.py").write_text('"""Counts."""\nprint(1)\n')
    return directory


async def test_they_are_found_with_how_they_went(box: LocalBox, tasks: Path) -> None:
    for name in ("true", "true", "false"):
        (one,) = await submit(box, spec("hello.sh", name))
        await in_state(box, one, State.COMPLETED, State.FAILED)
    async with control(box) as (app, pilot):
        await press(pilot, TASKS)
        await shows(app, "2 tasks")
        await shows(app, "67%")
        await shows(app, "Counts.")
        await press(pilot, "G")
        await shows(app, 'echo "hello"')
        await shows(app, "run 3 times: 2 passed, 1 failed, 0 under way")
        await press(pilot, "slash", *"language:python", "enter")
        await until(lambda: len(screen_of(app).table.rows) == 1)
        await shows(app, "never run")
        await press(pilot, "escape")
        (tasks / "later.js").write_text("// Later.")
        await press(pilot, "u")
        await shows(app, "3 tasks")


async def test_one_opens_in_the_form(box: LocalBox, tasks: Path) -> None:
    async with control(box) as (app, pilot):
        await press(pilot, TASKS)
        await shows(app, "2 tasks")
        await press(pilot, "G", "enter")
        await until(lambda: isinstance(app.screen, NewEvaluation))
        await shows(app, 'echo "hello"')


async def test_running_with_the_defaults(box: LocalBox, tasks: Path) -> None:
    async with control(box) as (app, pilot):
        await press(pilot, TASKS)
        await shows(app, "2 tasks")
        await press(pilot, "a", "r")
        await shows(app, "Run 2 tasks with the defaults?")
        await shows(app, "no network, 1 cores")
        await press(pilot, "enter")
        assert not len(app.context.book)
        await press(pilot, "r", "y")
        await shows(app, "2 evaluations queued")
        await until(lambda: {row.name for row in app.context.book.rows} == {"hello.sh", "count.py"})
        assert not screen_of(app).table.marked
        (tasks / "hello.sh").write_bytes(b"\0")
        await press(pilot, "G", "r", "y")
        await shows(app, "is a binary file")
        await until(lambda: screen_of(app).runs.value.get("count.py") is not None)


async def test_read_only(box: LocalBox, tasks: Path) -> None:
    async with control(box, read_only=True) as (app, pilot):
        await press(pilot, TASKS)
        await shows(app, "2 tasks")
        await press(pilot, "r", "n", "enter")
        assert not isinstance(app.screen, Choice | NewEvaluation)
        await shows(app, "Counts.")


async def test_what_cannot_be_looked_at_is_told(box: LocalBox, tasks: Path, tmp_path: Path) -> None:
    gone = (tmp_path / "gone", tmp_path / "too")
    async with control(box, task_dirs=gone, size=(160, 24)) as (app, pilot):
        await press(pilot, TASKS)
        await shows(app, "gone: no such file or directory, and 1 more")
        await shows(app, "2 tasks")


async def test_without_tasks(box: LocalBox, tasks: Path) -> None:
    for path in (tasks / "hello.sh", tasks / "deep" / "count.py"):
        path.unlink()
    async with control(box, size=(60, 16), ascii=True, colour=False) as (app, pilot):
        await press(pilot, TASKS)
        await shows(app, "No tasks are found.")
        assert text_of(app).isascii()
        await press(pilot, "r", "J", "K")
        assert isinstance(app.screen, TasksScreen)


async def test_hostile_sources_and_names(box: LocalBox, tasks: Path) -> None:
    hostile = '"""[red]doc[/red] \x1b[2J\u202e\U0001f469\u200d\U0001f680"""\n' + "x" * 10_000 + "\n"
    (tasks / "a[b]\x1b[2J.py").write_text(hostile + "\n".join(f"line{n} = {n}" for n in range(900)))
    async with control(box, size=(80, 40)) as (app, pilot):
        await press(pilot, TASKS)
        await shows(app, "3 tasks")
        await shows(app, "a[b]^[[2J.py")
        await shows(app, "[red]doc[/red]")
        await shows(app, "xxxxxxxx")
        assert "…" in text_of(app)
        await press(pilot, "J", "J")
        await shows(app, "line20 = 20")
        await press(pilot, *"J" * 70)
        await shows(app, "and more")
        await press(pilot, *"K" * 70)
        await shows(app, "[red]doc[/red]")
        assert "\x1b" not in text_of(app)
        assert "\u202e" not in text_of(app)


def test_a_preview_is_coloured_and_bounded(tmp_path: Path) -> None:
    path = tmp_path / "one.py"
    path.write_text("def f():\n\treturn 'x'\n\n\n")
    shown = preview(path, "python").lines
    assert ["".join(text for text, _ in line) for line in shown] == ["def f():", "    return 'x'"]
    assert ("def", Tone.BUSY) in shown[0]
    assert any(tone is Tone.GOOD for _, tone in shown[1])
    path.write_text("\n".join("x = 1" for _ in range(2 * MAX_LINES)))
    assert len(preview(path, "python").lines) == MAX_LINES + 1
    path.write_text("no language")
    assert preview(path, "klingon").lines == ([("no language", Tone.TEXT)],)
    (tmp_path / "link.py").symlink_to(path)
    assert preview(tmp_path / "link.py", "python").lines == ()
    assert preview(tmp_path / "gone.py", "python").lines == ()


async def test_the_loop_goes_on_while_tasks_are_looked_for(
    box: LocalBox, tasks: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    goes_on = threading.Event()

    def slow(*_: object) -> Catalogue:
        goes_on.wait(PATIENCE)
        return Catalogue()

    monkeypatch.setattr("evalbox.tui.screens.tasks._found", slow)
    async with control(box) as (app, pilot):
        await press(pilot, TASKS)
        await shows(app, "looking")
        await submit(box, spec("meanwhile"))
        await shows(app, "1 completed")
        assert "looking" in text_of(app)
        goes_on.set()
        await shows(app, "No tasks are found.")
