"""Batches: their figures, and the screen over the real service."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from conftest import PATIENCE, control, in_state, shows, spec, submit, text_of, until
from hypothesis import given
from hypothesis import strategies as st

from evalbox.domain.batch import Batch
from evalbox.domain.outcome import Outcome
from evalbox.domain.score import Score, ScoreKind
from evalbox.domain.state import FINAL, State
from evalbox.service.local import LocalBox
from evalbox.tui.app import MissionControl
from evalbox.tui.glyphs import ASCII, BLOCK
from evalbox.tui.model.row import Course, Origin, Row
from evalbox.tui.model.sheet import STEPS, Tally, sheet
from evalbox.tui.screens import batch_columns, batch_facts
from evalbox.tui.screens.batches import BatchesScreen
from evalbox.tui.screens.choice import Choice
from evalbox.tui.screens.compare import BatchesCompared
from evalbox.tui.screens.prompt import Prompt
from evalbox.tui.screens.within import Within
from evalbox.tui.widgets.picture import measure

HOSTILE = "[red]x[/red] \u202e rtl \U0001f469\u200d\U0001f469\u200d\U0001f467 "


@given(st.lists(st.integers(0, 10**9), min_size=1, max_size=7), st.integers(7, 60))
def test_portions_fill_the_bar_and_leave_nothing_out(numbers: list[int], width: int) -> None:
    sizes = batch_columns.portions(numbers, width)
    assert sum(sizes) == (width if any(numbers) else 0)
    assert all((size > 0) == (number > 0) for size, number in zip(sizes, numbers, strict=True))


def test_portions_are_true() -> None:
    assert batch_columns.portions([10, 0, 10], 20) == [10, 0, 10]
    assert batch_columns.portions([999, 1], 10) == [9, 1]
    assert batch_columns.portions([0, 0], 10) == [0, 0]


def batch(**other: object) -> Batch:
    states = {State.COMPLETED: 8, State.FAILED: 3, State.DEAD: 1, State.RUNNING: 2, State.QUEUED: 6}
    known = {
        "name": "nightly",
        "created_at": 1000.0,
        "states": states,
        "outcomes": {Outcome.OK: 8, Outcome.FAILED: 3, Outcome.INFRA_ERROR: 1},
        "started_at": 1000.0,
        "attempts": 15,
        "spent": 400.0,
        "respent": 100.0,
        "recent": 12,
    }
    return Batch(**(known | other))  # type: ignore[arg-type]


def test_a_batch_in_words() -> None:
    one = batch()
    assert batch_columns.pass_rate(one).text == " 73 % [43-90]"
    assert batch_columns.pace(one, 1600.0).text == "72/h"
    assert batch_columns.eta(one, 1600.0).text == "6:40"
    assert batch_columns.retries(one).text == " 25 % 1:40"
    bar = batch_columns.progress(one, 20, BLOCK)
    assert "".join(text for text, _ in bar.spans) == "████████▓▓▓▓▒▒░░░░░░"
    done = batch(states={State.COMPLETED: 2}, finished_at=1100.0, recent=0)
    assert batch_columns.eta(done, 9999.0).text == "done"
    nothing = Batch("new", 1000.0, states={State.QUEUED: 2})
    assert batch_columns.pass_rate(nothing).text == batch_columns.pace(nothing, 1.0).text == ""
    assert batch_columns.eta(nothing, 1.0).text == batch_columns.retries(nothing).text == ""


def row(place: int, task: str, agent: str, state: State, score: Score | None = None) -> Row:
    return Row(
        f"{place:022}",
        name=task,
        state=state,
        origin=Origin(agent=agent),
        course=Course(score=score),
    )


ROWS = [
    row(1, "easy", "a", State.COMPLETED, Score(ScoreKind.NUMBER, 1.0)),
    row(2, "easy", "b", State.COMPLETED, Score(ScoreKind.NUMBER, 0.5)),
    row(3, "hard", "a", State.FAILED),
    row(4, "hard", "a", State.COMPLETED, Score(ScoreKind.INVALID, reason="no file")),
    row(5, "hard", "b", State.RUNNING),
    row(6, "hard", "b", State.DEAD),
]


def test_pass_rates_by_task_and_agent() -> None:
    made = sheet(ROWS)
    assert made.cell("easy", "a") == Tally(1, 1, 1)
    assert made.cell("hard", "a") == Tally(0, 1, 2)
    assert made.cell("hard", "b") == Tally(0, 0, 2)
    assert made.cell("none", "b") == Tally()
    assert [name for name, _ in made.tasks] == ["hard", "easy"]
    assert dict(made.agents) == {"a": Tally(1, 2, 3), "b": Tally(1, 1, 3)}
    assert made.scores is not None
    assert (made.scores.low, made.scores.high) == (0.5, 1.0)
    assert made.scores.counts == (1, *[0] * (STEPS - 2), 1)
    assert sheet([]).scores is None


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=30))
def test_every_score_is_in_the_picture(values: list[float]) -> None:
    rows = [
        row(place, "t", "", State.COMPLETED, Score(ScoreKind.NUMBER, value))
        for place, value in enumerate(values)
    ]
    scores = sheet(rows).scores
    assert scores is not None
    assert sum(scores.counts) == len(values)


@pytest.mark.parametrize("width", [60, 64, 95, 96, 120, 200])
@pytest.mark.parametrize("glyphs", [BLOCK, ASCII])
def test_the_detail_fits(width: int, glyphs: object) -> None:
    hostile = [row(9, HOSTILE + "t" * 200, HOSTILE + str(n), State.FAILED) for n in range(30)]
    one = batch(mean_score=0.75, scored=2)
    for rows in (ROWS, ROWS + hostile, []):
        lines = batch_facts.detail(one, sheet(rows), glyphs, 1600.0, width)  # type: ignore[arg-type]
        assert all("\u202e" not in text for line in lines for text, _ in line)
        tables = [line for line in lines if any("worst first" in text for text, _ in line)]
        assert all(measure(line) <= width for line in tables)


def page(app: MissionControl) -> BatchesScreen:
    assert isinstance(app.screen, BatchesScreen)
    return app.screen


def totals(app: MissionControl) -> dict[str, int]:
    return {one.name: one.total for one in page(app).table.rows}


async def ended(box: LocalBox, ids: list[str]) -> None:
    for one in ids:
        await in_state(box, one, *FINAL)


async def two_batches(box: LocalBox) -> tuple[list[str], list[str]]:
    """One that has ended, and a newer one that is under way."""
    old = await submit(
        box,
        *[spec(f"task {place}", "false" if place else "true", batch="old") for place in range(3)],
    )
    await ended(box, old)
    new = await submit(
        box, *[spec(f"task {place}", "sleep", "600", batch="new") for place in range(2)]
    )
    return old, new


async def test_the_table_lives(box: LocalBox) -> None:
    async with control(box) as (app, pilot):
        await pilot.press("3")
        await shows(app, "There are no batches.")
        await two_batches(box)
        await until(lambda: totals(app) == {"new": 2, "old": 3})
        await shows(app, "33 % [")
        await shows(app, "done")
        # What is under way comes first.
        assert [one.name for one in page(app).table.rows] == ["new", "old"]
        await shows(app, "nothing has been judged yet")
        await pilot.press("j")
        await shows(app, "33.3 % of 3, 95 % sure of 6 to 79 %")
        await shows(app, "0 % 0/1")
        await pilot.press("enter")
        await until(lambda: isinstance(app.screen, Within))
        await shows(app, "batch old")
        await shows(app, "3 evaluations")
        await pilot.press("escape")
        assert page(app)
        await pilot.press("s")
        await shows(app, "BATCH↑")
        await pilot.press("R")
        await shows(app, "BATCH↓")
        while page(app).table.sorted_by[0]:
            await pilot.press("s")
        await pilot.pause()
        assert [one.name for one in page(app).table.rows] == ["new", "old"]
        await pilot.press("slash", *"state:run", "enter")
        await until(lambda: totals(app) == {"new": 2})


async def test_cancelling_what_is_left(box: LocalBox) -> None:
    _, new = await two_batches(box)
    async with control(box) as (app, pilot):
        await pilot.press("3")
        await until(lambda: len(totals(app)) == 2)
        await pilot.press("x")
        await shows(app, "Cancel what has not ended of batch new: 2 evaluations?")
        await pilot.press("y")
        for one in new:
            await in_state(box, one, State.CANCELLED)
        await shows(app, "2 evaluations asked to cancel")
        await until(lambda: all(one.ended == one.total for one in page(app).table.rows))
        await pilot.press("x")
        await shows(app, "nothing is left to cancel")


async def test_failures_are_tried_again_and_what_ended_is_removed(box: LocalBox) -> None:
    old, _ = await two_batches(box)
    async with control(box) as (app, pilot):
        await pilot.press("3")
        await until(lambda: len(totals(app)) == 2)
        await pilot.press("j", "r")
        await shows(app, "Queue again what failed of batch old: 2 evaluations?")
        await pilot.press("y")
        for one in old[1:]:
            async with asyncio.timeout(PATIENCE):
                while (await box.get(one)).attempts < 2:
                    await asyncio.sleep(0.01)
        await ended(box, old)
        assert (await box.get(old[0])).attempts == 1
        await until(lambda: any(one.ended == 3 for one in page(app).table.rows))
        await pilot.press("a", "D")
        await shows(app, "Remove what has ended of 2 batches: 3 evaluations?")
        await pilot.press("y")
        await shows(app, "3 evaluations removed")


async def test_how_many_run_at_once(box: LocalBox) -> None:
    await two_batches(box)
    async with control(box) as (app, pilot):
        await pilot.press("3")
        await until(lambda: len(totals(app)) == 2)
        await pilot.press("c")
        await until(lambda: isinstance(app.screen, Prompt))
        await pilot.press(*["backspace"] * 4, "0")
        await shows(app, "give a whole number from 1 to 1,024, or none")
        await pilot.press("backspace", "7", "enter")
        await shows(app, "AT ONCE")
        assert (await box.batch("new")).concurrency == 7
        await pilot.press("c", "backspace", *"none", "enter")
        await shows(app, "batch new: no limit")
        assert (await box.batch("new")).concurrency is None


async def test_two_are_compared_and_their_evaluations_exported(
    box: LocalBox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await two_batches(box)
    monkeypatch.chdir(tmp_path)
    async with control(box) as (app, pilot):
        await pilot.press("3")
        await until(lambda: len(totals(app)) == 2)
        await pilot.press("C")
        await shows(app, "mark the two that are to be compared")
        await pilot.press("a", "C")
        await until(lambda: isinstance(app.screen, BatchesCompared))
        await pilot.press("escape")
        assert page(app)
        await pilot.press("X")
        await shows(app, "Export 5 evaluations of 2 batches as")
        await pilot.press("c", "enter")
        await until(lambda: any(tmp_path.glob("*.csv")))
        (written,) = tmp_path.glob("*.csv")
        await until(lambda: len(written.read_text().splitlines()) == 6)


async def test_it_is_asked_only_while_it_is_shown(
    box: LocalBox, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = 0
    batches = box.batches

    async def counting() -> object:
        nonlocal asked
        asked += 1
        return await batches()

    monkeypatch.setattr(box, "batches", counting)
    await two_batches(box)
    async with control(box) as (app, pilot):
        await pilot.press("3")
        await until(lambda: len(totals(app)) == 2)
        await pilot.press("1")
        before = asked
        version = app.context.standing.version
        await submit(box, spec("more", batch="third"))
        await until(lambda: app.context.standing.version > version + 30)
        assert asked == before
        await pilot.press("3")
        await until(lambda: len(totals(app)) == 3)


async def test_read_only_changes_nothing(box: LocalBox) -> None:
    await two_batches(box)
    async with control(box, read_only=True) as (app, pilot):
        await pilot.press("3")
        await until(lambda: len(totals(app)) == 2)
        for key in "xrcD":
            await pilot.press(key)
            assert page(app)
        assert "cancel" not in text_of(app).split("\n")[-1]


@pytest.mark.parametrize("size", [(60, 16), (80, 24), (200, 50)])
async def test_hostile_names(box: LocalBox, size: tuple[int, int]) -> None:
    # Nothing else is let into the name of a batch, or a label.
    name = "[red]x[/red] \U0001f469 \u6f22\u5b57 " + "b" * 100
    ids = await submit(box, spec(HOSTILE + "n" * 100, "false", batch=name, labels={"agent": name}))
    await ended(box, ids)
    async with control(box, size=size, ascii=True, colour=False) as (app, pilot):
        await pilot.press("3")
        await until(lambda: len(totals(app)) == 1)
        await shows(app, "0 % [")
        await pilot.press("x", "r")
        await until(lambda: isinstance(app.screen, Choice))
        await pilot.press("escape", "enter")
        await until(lambda: isinstance(app.screen, Within))
        await pilot.pause()
        assert "\u202e" not in text_of(app)
        assert "\u200d" not in text_of(app)
