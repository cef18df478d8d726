"""Every screen as a picture, in every size that counts.

``pytest tests/tui/test_snapshots.py --snapshot-update`` draws them anew; look at them then.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from conftest import PATIENCE
from stage import staged, still
from syrupy.assertion import SnapshotAssertion
from syrupy.extensions.single_file import SingleFileSnapshotExtension, WriteMode
from textual.pilot import Pilot

from evalbox.tui.app import MissionControl
from evalbox.tui.screens.page import PAGES, Page

#: Looks in a row that must be alike.
_SAME = 6


class Svg(SingleFileSnapshotExtension):
    _write_mode = WriteMode.TEXT
    file_extension = "svg"


#: Sizes in cells, and what else there is about the terminal.
TERMINALS: dict[str, dict[str, Any]] = {
    "80x24": {"size": (80, 24)},
    "120x36": {"size": (120, 36)},
    "200x50": {"size": (200, 50)},
    "no-color": {"size": (120, 36), "colour": False},
}
#: Screens, and the keys that lead to them.
SCREENS: dict[str, Sequence[str]] = {
    **{name.lower(): (str(number),) for number, name in enumerate(PAGES, start=1)},
    "evaluation": ("1", "down", "enter"),
}


@pytest.mark.parametrize("terminal", TERMINALS)
@pytest.mark.parametrize("screen", SCREENS)
async def test_a_screen_looks_as_it_did(
    screen: str,
    terminal: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    snapshot: SnapshotAssertion,
) -> None:
    async with (
        staged(tmp_path / "box", monkeypatch) as box,
        still(box, **TERMINALS[terminal]) as (app, pilot),
    ):
        await pilot.press(*SCREENS[screen])
        picture = await settled(app, pilot)
    assert picture == snapshot(extension_class=Svg)


async def settled(app: MissionControl, pilot: Pilot[Any]) -> str:
    """What is drawn once nothing more changes by itself."""
    last, same = "", 0
    async with asyncio.timeout(PATIENCE):
        while same < _SAME:
            await asyncio.sleep(0.05)
            await pilot.pause()
            if isinstance(app.screen, Page):
                app.screen.look()
            picture = app.export_screenshot(title="evalbox", simplify=True)
            same = same + 1 if picture == last else 0
            last = picture
    return last
