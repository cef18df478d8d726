"""Queue, Failures and Batches over a socket and over TCP."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from api_support import reached
from conftest import PATIENCE, control, in_state, shows, spec, submit, until

from evalbox.domain.evaluation import Priority
from evalbox.domain.state import FINAL
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
