"""The queue as it is seen and steered, over the real service."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest
from conftest import PATIENCE, control, in_state, opened, shows, spec, submit, text_of, until

from evalbox.domain.evaluation import Priority
from evalbox.domain.state import State
from evalbox.service.local import LocalBox
from evalbox.tui.app import MissionControl
from evalbox.tui.model.reasons import Reasons
from evalbox.tui.screens.choice import Choice
from evalbox.tui.screens.prompt import Prompt
from evalbox.tui.screens.queue import QueueScreen

HOSTILE = "[red]x[/red] \u202e rtl \U0001f469\u200d\U0001f469\u200d\U0001f467 "


def page(app: MissionControl) -> QueueScreen:
    assert isinstance(app.screen, QueueScreen)
    return app.screen


def names(app: MissionControl) -> list[str]:
    return [row.name for row in page(app).table.rows]


async def slots_are(box: LocalBox, wanted: int) -> None:
    async with asyncio.timeout(PATIENCE):
        while (await box.queue()).slots != wanted:
            await asyncio.sleep(0.01)


async def test_holding_it_and_why_each_waits(box: LocalBox) -> None:
    async with control(box) as (app, pilot):
        await pilot.press("2", "H")
        await shows(app, "paused: nothing starts until it is resumed")
        await submit(box, spec("waits"), spec("waits too"))
        await until(lambda: names(app) == ["waits", "waits too"])
        await shows(app, "0 ahead: the queue is paused")
        await shows(app, "1 ahead: the queue is paused")
        await pilot.press("H")
        await until(lambda: not names(app))
        await shows(app, "Nothing waits.")


async def test_reasons_are_renewed(box: LocalBox) -> None:
    (first,) = await submit(box, spec("first", "sleep", "600", batch="few"))
    await box.set_batch_concurrency("few", 1)
    await in_state(box, first, State.RUNNING)
    await submit(box, spec("second", "sleep", "600", batch="few"))
    async with control(box, size=(140, 30)) as (app, pilot):
        await pilot.press("2")
        await shows(app, "0 ahead: batch few runs 1 of at most 1 at once")
        await box.pause()
        await shows(app, "0 ahead: the queue is paused")


async def test_what_is_not_due_comes_last_and_tells_when(box: LocalBox) -> None:
    await box.pause()
    await submit(
        box,
        spec("later", not_before=time.time() + 600),
        spec("normal"),
        spec("low", priority=Priority.LOW),
        spec("high", priority=Priority.HIGH),
    )
    async with control(box, size=(140, 30)) as (app, pilot):
        await pilot.press("2")
        await until(lambda: names(app) == ["high", "normal", "low", "later"])
        await shows(app, "NOT BEFORE")
        await shows(app, "in 10m")


async def test_what_becomes_due_takes_its_place(box: LocalBox) -> None:
    await box.pause()
    await submit(
        box,
        spec("soon", not_before=time.time() + 3, priority=Priority.HIGH),
        spec("normal"),
    )
    async with control(box) as (app, pilot):
        await pilot.press("2")
        await until(lambda: names(app) == ["normal", "soon"])
        await until(lambda: names(app) == ["soon", "normal"])


async def test_priorities_change_the_order(box: LocalBox) -> None:
    await box.pause()
    ids = await submit(box, spec("a"), spec("b"), spec("c"))
    async with control(box) as (app, pilot):
        await pilot.press("2")
        await until(lambda: names(app) == ["a", "b", "c"])
        await pilot.press("right_square_bracket")
        await until(lambda: names(app) == ["b", "c", "a"])
        assert (await box.get(ids[0])).spec.priority is Priority.LOW
        await pilot.press("g", "space", "space", "P")
        await shows(app, "Priority of 2 evaluations")
        await pilot.press("h")
        for one in ids[1:]:
            async with asyncio.timeout(PATIENCE):
                while (await box.get(one)).spec.priority is not Priority.HIGH:
                    await asyncio.sleep(0.01)
        await shows(app, "high")


async def test_slots_are_set_to_a_number(box: LocalBox) -> None:
    async with control(box) as (app, pilot):
        await pilot.press("2")
        slots = (await box.queue()).slots
        await pilot.press("plus")
        await slots_are(box, slots + 1)
        await shows(app, f"of {slots + 1} running")
        await pilot.press("minus")
        await slots_are(box, slots)
        await pilot.press("equals_sign")
        await until(lambda: isinstance(app.screen, Prompt))
        await pilot.press("backspace", *"0")
        await shows(app, "give a whole number from 1 to 1,024")
        await pilot.press("enter")
        assert isinstance(app.screen, Prompt)
        await pilot.press("backspace", *"21", "enter")
        await slots_are(box, 21)


async def test_dead_letters(tmp_path: Path) -> None:
    async with opened(tmp_path / "box") as box:
        ids = await submit(box, *[spec(f"broken {place}", "infra") for place in range(3)])
        for one in ids:
            await in_state(box, one, State.DEAD)
        async with control(box) as (app, pilot):
            await pilot.press("2")
            await shows(app, "Nothing waits.")
            # Only where they are seen.
            await pilot.press("A")
            assert not isinstance(app.screen, Choice)
            await pilot.press("d")
            await until(lambda: len(names(app)) == 3)
            await shows(app, "infra_error")
            await box.pause()
            await pilot.press("r")
            await until(lambda: len(names(app)) == 2)
            await pilot.press("A")
            await shows(app, "Queue all dead letters again: 2 evaluations?")
            await pilot.press("y")
            await shows(app, "There are no dead letters.")
            await pilot.press("A")
            await shows(app, "there are no dead letters")
            await pilot.press("d")
            await until(lambda: len(names(app)) == 3)


async def test_only_what_is_seen_is_asked_about(box: LocalBox) -> None:
    await box.pause()
    ids = await submit(box, *[spec(f"task {place}") for place in range(30)])
    reasons = Reasons(box)
    now = time.monotonic()
    assert not reasons.due([], now)
    assert reasons.due(ids[:10], now)
    await reasons.ask()
    assert reasons.get(ids[3]) == "3 ahead: the queue is paused"
    assert not reasons.due(ids[:10], time.monotonic())
    assert reasons.due(ids[:10], time.monotonic() + 60)
    assert reasons.due(ids[20:], time.monotonic())
    await box.cancel([ids[29]])
    await box.remove([ids[29]])
    await reasons.ask()
    assert reasons.get(ids[29]) == "is gone"
    assert reasons.get(ids[3]) == ""


@pytest.mark.parametrize("size", [(60, 16), (80, 24), (200, 50)])
async def test_hostile_names(box: LocalBox, size: tuple[int, int]) -> None:
    await box.pause()
    await submit(box, spec(HOSTILE + "n" * 100, batch="b" * 60))
    async with control(box, size=size, ascii=True, colour=False) as (app, pilot):
        await pilot.press("2")
        await shows(app, "0 ahead")
        assert "\u202e" not in text_of(app)
        assert "\u200d" not in text_of(app)


async def test_what_was_done_to_the_queue_is_taken_back_the_last_first(box: LocalBox) -> None:
    async with control(box) as (app, pilot):
        await app.switch_mode("Queue")
        await until(lambda: app.context.standing.queue is not None)
        await pilot.press("plus")
        await shows(app, "9 run at once")
        await pilot.press("H")
        await shows(app, "the queue is paused")
        await pilot.press("u")
        await shows(app, "taken back (the queue is paused): the queue goes on")
        assert not (await box.queue()).paused
        await pilot.press("u")
        await shows(app, "taken back (9 run at once): 8 run at once")
        assert (await box.queue()).slots == 8
        await pilot.press("u")
        await shows(app, "nothing to take back")
