"""A real box on the fake engine, and the screen over it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot

from evalbox.config.settings import Settings
from evalbox.domain.clock import Clock
from evalbox.domain.evaluation import EvaluationSpec
from evalbox.domain.state import State
from evalbox.engines.fake import FakeEngine
from evalbox.service.box import Box
from evalbox.service.local import LocalBox
from evalbox.tui.app import MissionControl
from evalbox.tui.environment import Options

IMAGE = "fake/image"
PATIENCE = 30.0


def spec(name: str, *command: str, **other: Any) -> EvaluationSpec:
    return EvaluationSpec(name, command or ("true",), IMAGE, engine="fake", **other)


@asynccontextmanager
async def opened(directory: Path, **settings: Any) -> AsyncIterator[LocalBox]:
    """A box that works, and is left at once."""
    chosen = Settings(data_dir=directory, engine="fake", slots=8, load_per_core=1000, **settings)
    box = await LocalBox.open(chosen, work=True, engines=[FakeEngine()])
    try:
        yield box
    finally:
        await box.close(drain=0)


@pytest.fixture
async def box(tmp_path: Path) -> AsyncIterator[LocalBox]:
    async with opened(tmp_path / "box") as one:
        yield one


async def submit(box: LocalBox, *specs: EvaluationSpec) -> list[str]:
    return [item.id for item in await box.submit(specs)]


async def until(holds: Callable[[], bool], what: str = "") -> None:
    async with asyncio.timeout(PATIENCE):
        while not holds():
            await asyncio.sleep(0.01)


async def in_state(box: LocalBox, evaluation_id: str, *states: State) -> None:
    async with asyncio.timeout(PATIENCE):
        while (await box.get(evaluation_id)).state not in states:
            await asyncio.sleep(0.01)


@asynccontextmanager
async def control(
    box: Box,
    *,
    size: tuple[int, int] = (120, 36),
    clock: Clock | None = None,
    **options: Any,
) -> AsyncIterator[tuple[MissionControl, Pilot[Any]]]:
    app = MissionControl(box, Options(interval=0.05, **options), clock=clock)
    async with app.run_test(size=size, notifications=True) as pilot:
        await until(lambda: app.context.standing.version > 0)
        await until(lambda: app.keeper.loaded)
        yield app, pilot


def text_of(app: MissionControl) -> str:
    """All that is on the screen."""
    strips = app.screen._compositor.render_strips()
    return "\n".join(strip.text for strip in strips)


async def shows(app: MissionControl, wanted: str) -> None:
    async with asyncio.timeout(PATIENCE):
        while wanted not in text_of(app):
            await asyncio.sleep(0.02)
