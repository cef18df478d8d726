"""Every key of every screen: none breaks it, and with --read-only none changes anything."""

from __future__ import annotations

from typing import Any

import pytest
from conftest import control, in_state, spec, submit
from textual.pilot import Pilot

from evalbox.domain.state import State
from evalbox.service.local import LocalBox
from evalbox.tui.app import MissionControl
from evalbox.tui.screens.page import PAGES, Page

HOSTILE = "\x1b[2J[red]x[/red] \u202e👩‍👩‍👧 " + "y" * 180
#: They end the program, or the pilot.
ENDING = {"q", "ctrl+q", "ctrl+c"}
#: Moving about and going elsewhere has tests of its own.
ELSEWHERE = {"table", "screen"}


async def filled(box: LocalBox) -> list[str]:
    ids = await submit(
        box,
        spec(HOSTILE, "sleep", "600", batch="b"),
        spec("good", "echo", HOSTILE, batch="b"),
        spec("bad", "error", HOSTILE, ";", "exit", "3", batch="c", labels={"agent": "x"}),
        spec("lost", "infra", batch="c"),
    )
    await in_state(box, ids[0], State.RUNNING)
    await in_state(box, ids[1], State.COMPLETED)
    await in_state(box, ids[2], State.FAILED)
    await in_state(box, ids[3], State.DEAD)
    return ids


async def back(app: MissionControl, pilot: Pilot[Any], page: str) -> None:
    """Leaves dialogs and screens that a key opened, with whatever they ask answered no."""
    for _ in range(8):
        stack = app.screen_stack
        if len(stack) <= 1 and app.current_mode == page:
            return
        await pilot.press("escape")
        await pilot.pause()
    while len(app.screen_stack) > 1:
        app.pop_screen()
        await pilot.pause()
    await app.switch_mode(page)


async def press_all(app: MissionControl, pilot: Pilot[Any], page: str) -> None:
    await app.switch_mode(page)
    await pilot.pause()
    assert isinstance(app.screen, Page)
    keys = [
        key
        for key, active in app.screen.active_bindings.items()
        if key not in ENDING and (active.binding.id or "").partition(".")[0] not in ELSEWHERE
    ]
    for key in keys:
        await pilot.press(key, "escape")
        assert app.is_running, key
        await back(app, pilot, page)


@pytest.mark.parametrize("page", PAGES)
async def test_no_key_breaks_a_screen(box: LocalBox, page: str) -> None:
    await filled(box)
    async with control(box, size=(80, 24)) as (app, pilot):
        await press_all(app, pilot, page)
        assert app.return_code in (None, 0)


@pytest.mark.parametrize("page", ["Queue", "Batches", "Images", "Tasks"])
async def test_with_read_only_no_key_changes_anything(box: LocalBox, page: str) -> None:
    await filled(box)
    before = [entry.seq for entry in await box.audit.list(limit=1000)]
    slots = (await box.queue()).slots
    async with control(box, size=(80, 24), read_only=True) as (app, pilot):
        await press_all(app, pilot, page)
    assert [entry.seq for entry in await box.audit.list(limit=1000)] == before
    assert ((await box.queue()).slots, (await box.queue()).paused) == (slots, False)
