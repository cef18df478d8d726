"""What failed, grouped by its cause: the rules, and the screen over the real service."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any

import pytest
from conftest import PATIENCE, control, in_state, opened, shows, spec, submit, text_of, until

from evalbox.domain.outcome import Outcome
from evalbox.domain.state import FINAL, State
from evalbox.service.local import LocalBox
from evalbox.tui.app import MissionControl
from evalbox.tui.model.book import Book
from evalbox.tui.model.derived import Derived
from evalbox.tui.model.failures import MOST, STRETCHES, alike, groups
from evalbox.tui.model.row import Course, Origin, Row
from evalbox.tui.screens.choice import Choice
from evalbox.tui.screens.failures import FailuresScreen
from evalbox.tui.screens.within import Within

HOSTILE = (
    "\x1b[2J\x1b]0;owned\x07[red]x[/red] \u202e rtl \U0001f469\u200d\U0001f469\u200d\U0001f467"
)


def failure(
    place: int, error: str, *, state: State = State.FAILED, agent: str = "", **course: Any
) -> Row:
    return Row(
        f"{place:022}",
        name=f"task {place % 3}",
        state=state,
        finished_at=1000.0 + place,
        origin=Origin(agent=agent),
        course=Course(error=error, **{"outcome": Outcome.FAILED} | course),
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("exit status 1", "exit status 1"),
        ("HTTP 404", "HTTP 404"),
        ("error[E0308]: mismatched types", "error[E0308]: mismatched types"),
        ("KeyError: 'colour'", "KeyError: 'colour'"),
        ("index 12 is out of 1,024", "index # is out of #"),
        ("object at 0x7f3a2b", "object at #"),
        ("run 3fa85f64-5717-4562-b3fc-2c963f66afa6 broke", "run # broke"),
        ("/tmp/x1/solution.py:12: no", "*/solution.py:#: no"),
        ("took 12.5 s", "took # s"),
        ("facade and decade", "facade and decade"),
        ("", ""),
    ],
)
def test_what_differs_from_run_to_run_is_left_out(text: str, expected: str) -> None:
    assert alike(text) == expected
    assert alike(alike(text)) == alike(text)


def test_the_greatest_group_comes_first() -> None:
    rows = [failure(place, f"bad value {place}", agent=f"agent {place % 2}") for place in range(6)]
    rows += [failure(9, "KeyError: 'a'"), failure(7, "KeyError: 'a'", state=State.DEAD)]
    rows += [
        failure(20, "fine", state=State.COMPLETED, outcome=Outcome.OK),
        failure(21, "again", state=State.QUEUED),
        failure(22, "", state=State.CANCELLED, outcome=Outcome.CANCELLED),
    ]
    first, second = groups(rows)
    assert (first.cause, first.count, first.share, first.task_count) == ("bad value #", 6, 0.75, 3)
    assert first.agents == (("agent 0", 3), ("agent 1", 3))
    assert (second.cause, second.count, second.dead) == ("KeyError: 'a'", 2, 1)
    assert (second.oldest, second.newest) == (1007.0, 1009.0)
    assert sum(first.times) == 6
    assert len(first.times) == STRETCHES
    assert second.times[-1] == 1
    assert all(first.holds(row) and not second.holds(row) for row in first.members)
    assert not any(group.holds(row) for group in (first, second) for row in rows[8:])


def test_without_an_error_line_the_reason_tells() -> None:
    rows = [failure(1, "", reason="exit status 3"), failure(2, "", reason="exit status 4")]
    assert [group.cause for group in groups(rows)] == ["exit status 4", "exit status 3"]
    assert groups([]) == []


def test_where_evalbox_ended_it_what_was_printed_is_chance() -> None:
    rows = [
        failure(place, f"line {chr(97 + place)}", outcome=Outcome.TIMEOUT, reason="over 60 s")
        for place in range(3)
    ]
    assert [group.cause for group in groups(rows)] == ["over 60 s"]


def test_the_same_cause_with_another_outcome_is_another_group() -> None:
    rows = [failure(1, "gone"), failure(2, "gone", outcome=Outcome.TIMEOUT)]
    assert {group.outcome for group in groups(rows)} == {Outcome.FAILED, Outcome.TIMEOUT}


def test_only_the_greatest_groups_are_kept() -> None:
    letters = str.maketrans("0123456789", "abcdefghij")
    rows = [failure(place, f"no {place:05}".translate(letters)) for place in range(MOST + 50)]
    rows += [failure(9999, "twice"), failure(9998, "twice")]
    found = groups(iter(rows))
    assert len(found) == MOST
    assert found[0].cause == "twice"
    assert found[0].share == 2 / len(rows)


async def test_many_are_grouped_in_a_thread() -> None:
    book = Book()
    book.rows = [failure(place, f"value {place}") for place in range(5000)]
    view = Derived(book, groups)
    assert view.due(0.0)
    await view.renew()
    assert [group.count for group in view.rows] == [5000]
    assert not view.due(time.monotonic())
    book.version += 1
    assert view.due(time.monotonic() + 60)


async def submit_and_end(box: LocalBox, *commands: tuple[str, ...]) -> list[str]:
    ids = await submit(
        box, *[spec(f"task {place}", *command) for place, command in enumerate(commands)]
    )
    for one in ids:
        await in_state(box, one, *FINAL)
    return ids


def page(app: MissionControl) -> FailuresScreen:
    assert isinstance(app.screen, FailuresScreen)
    return app.screen


FAILURES = [("error", "KeyError: 'a'", ";", "exit", "3")] * 3 + [("exit", "4"), ("true",)]


async def test_groups_and_what_is_in_them(box: LocalBox) -> None:
    await submit_and_end(box, *FAILURES)
    async with control(box) as (app, pilot):
        await pilot.press("4")
        await shows(app, "4 evaluations failed")
        await until(lambda: [group.count for group in page(app).table.rows] == [3, 1])
        await shows(app, "75 %")
        await shows(app, "KeyError: 'a'")
        await shows(app, "task 0 (1), task 1 (1), task 2 (1)")
        await pilot.press("enter")
        await until(lambda: isinstance(app.screen, Within))
        await shows(app, "3 evaluations")
        await pilot.press("enter", "escape")
        await until(lambda: isinstance(app.screen, Within))
        await pilot.press("escape")
        await until(lambda: isinstance(app.screen, FailuresScreen))
        await pilot.press("slash", *"error:4", "enter")
        await until(lambda: len(page(app).table.rows) == 1)
        await pilot.press("escape", "s", "s")
        await shows(app, "OUTCOME↑")


async def test_a_group_is_queued_again(box: LocalBox) -> None:
    ids = await submit_and_end(box, *FAILURES)
    async with control(box) as (app, pilot):
        await pilot.press("4")
        await until(lambda: isinstance(app.screen, FailuresScreen))
        await until(lambda: [group.count for group in page(app).table.rows] == [3, 1])
        # Nothing that is here runs or waits.
        await pilot.press("x", "P")
        assert not isinstance(app.screen, Choice)
        await pilot.press("r")
        await shows(app, "Queue 3 evaluations again?")
        await pilot.press("y")
        for one in ids[:3]:
            async with asyncio.timeout(PATIENCE):
                while (await box.get(one)).attempts < 2:
                    await asyncio.sleep(0.01)
        assert (await box.get(ids[3])).attempts == 1
        await until(lambda: [group.count for group in page(app).table.rows] == [3, 1])
        await pilot.press("a", "D")
        await shows(app, "Remove 4 evaluations")
        await pilot.press("y")
        await shows(app, "Nothing has failed.")


async def test_the_cause_is_copied(box: LocalBox) -> None:
    await submit_and_end(box, ("error", "gone [red]", ";", "false"))
    async with control(box) as (app, pilot):
        await pilot.press("4")
        await shows(app, "gone [red]")
        (group,) = page(app).table.rows
        assert page(app).copied(group) == "failed: gone [red] (1)"
        await pilot.press("y")
        await shows(app, "copied")


async def test_read_only_changes_nothing(box: LocalBox) -> None:
    await submit_and_end(box, ("false",))
    async with control(box, read_only=True) as (app, pilot):
        await pilot.press("4")
        await shows(app, "1 evaluation failed")
        await pilot.press("r", "D")
        assert isinstance(app.screen, FailuresScreen)
        assert "queue again" not in text_of(app)


@pytest.mark.parametrize("size", [(60, 16), (80, 24), (200, 50)])
async def test_hostile_names_and_errors(tmp_path: Path, size: tuple[int, int]) -> None:
    async with opened(tmp_path / "box") as box:
        (one,) = await submit(box, spec("n" * 190, "error", HOSTILE + "y" * 10_000, ";", "false"))
        await in_state(box, one, State.FAILED)
        async with control(box, size=size, ascii=True) as (app, pilot):
            await pilot.press("4")
            await shows(app, "failed")
            await until(lambda: len(page(app).table.rows) == 1)
            await pilot.press("enter")
            await until(lambda: isinstance(app.screen, Within))
            await pilot.pause()
            assert "\x1b" not in text_of(app)
            assert "\u202e" not in text_of(app)
