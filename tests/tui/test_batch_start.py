"""A batch file run from the screen."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from conftest import control, shows, text_of, until
from textual.pilot import Pilot

from evalbox.domain.records import EvaluationFilter
from evalbox.service.local import LocalBox
from evalbox.tui.form.browsing import Browsing, completions
from evalbox.tui.screens.batches import BatchesScreen
from evalbox.tui.screens.choice import Choice

_FILE = """
name: "nightly [b]x[/b]"
tasks:
  - command: ["true"]
    name: first
  - command: ["true"]
    name: second
epochs: 3
concurrency: 2
fail_fast: true
"""


async def press(pilot: Pilot[Any], *keys: str) -> None:
    await pilot.press(*keys)
    await pilot.pause()


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    directory = tmp_path / "here"
    (directory / "experiments").mkdir(parents=True)
    (directory / "experiments" / "nightly.yaml").write_text(_FILE)
    (directory / "experiments" / "notes.txt").write_text("")
    (directory / "broken.yml").write_text("name: x\ntasks: []\n")
    (directory / ".hidden.yaml").write_text("")
    monkeypatch.chdir(directory)
    return directory


def test_what_a_path_may_become(place: Path) -> None:
    assert [one.typed for one in completions("")] == ["broken.yml", "experiments/"]
    assert [one.typed for one in completions("exp")] == ["experiments/"]
    assert [one.typed for one in completions("experiments/")] == ["experiments/nightly.yaml"]
    assert [one.typed for one in completions(".h")] == [".hidden.yaml"]
    assert completions("nowhere/x") == completions("a\0b/") == []


async def test_a_file_is_completed_looked_at_and_run(box: LocalBox, place: Path) -> None:
    async with control(box) as (app, pilot):
        await press(pilot, "3", "b")
        await shows(app, "broken.yml")
        await press(pilot, *"exp")
        dialog = app.screen
        assert isinstance(dialog, Browsing)
        await until(lambda: [one.typed for one in dialog.table.rows] == ["experiments/"])
        await press(pilot, "tab")
        await shows(app, "experiments/nightly.yaml")
        await press(pilot, "enter")
        await shows(app, "Run batch nightly [b]x[/b]: 6 evaluations?")
        told = text_of(app)
        assert "2: first, second" in told
        assert "epochs      3" in told
        assert "at once     2" in told
        assert "fail fast" in told
        await press(pilot, "y")
        await shows(app, "batch nightly [b]x[/b]: 6 evaluations queued")
        batch = await box.batch("nightly [b]x[/b]")
        assert (batch.total, batch.concurrency, batch.fail_fast) == (6, 2, True)
        # Run again, it goes on: nothing is there twice.
        await press(pilot, "b", *"experiments/nightly.yaml", "enter")
        await until(lambda: isinstance(app.screen, Choice))
        await press(pilot, "y")
        await shows(app, "nothing was left to queue")
        assert (await box.batch("nightly [b]x[/b]")).total == 6


async def test_what_is_wrong_is_told_and_nothing_is_queued(box: LocalBox, place: Path) -> None:
    async with control(box) as (app, pilot):
        await press(pilot, "3", "b", *"broken.yml", "enter")
        await shows(app, "has no tasks")
        assert isinstance(app.screen, BatchesScreen)
        await press(pilot, "b", *"gone.yaml", "enter")
        await shows(app, "gone.yaml: no such file")
        await press(pilot, "b", *"experiments/nightly.yaml", "enter")
        await until(lambda: isinstance(app.screen, Choice))
        await press(pilot, "enter")
        assert not await box.list(EvaluationFilter())


async def test_nothing_is_run_where_nothing_may_be_changed(box: LocalBox, place: Path) -> None:
    async with control(box, read_only=True) as (app, pilot):
        await press(pilot, "3", "b")
        assert isinstance(app.screen, BatchesScreen)
