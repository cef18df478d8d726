"""The images of the engine."""

from __future__ import annotations

import asyncio
import tarfile
from pathlib import Path
from typing import Any

import pytest
from conftest import control, in_state, opened, shows, spec, submit, text_of, until
from textual.pilot import Pilot

from evalbox.domain.image import BASE, Image
from evalbox.domain.state import State
from evalbox.engines.fake.images import FakeImages
from evalbox.errors import EngineUnavailable
from evalbox.service.local import LocalBox
from evalbox.tui.screens.choice import Choice
from evalbox.tui.screens.images import ImagesScreen
from evalbox.tui.screens.whole import Whole

IMAGES = "7"


async def press(pilot: Pilot[Any], *keys: str) -> None:
    await pilot.press(*keys)
    await pilot.pause()


async def names(box: LocalBox) -> set[str]:
    return {name for image in await box.images.list() for name in image.names}


async def test_what_there_is_and_who_uses_it(box: LocalBox) -> None:
    await box.images.pull("python:3.12-slim", lambda _: None)
    (one,) = await submit(box, spec("sleeper", "sleep", "600"))
    await in_state(box, one, State.RUNNING)
    async with control(box) as (app, pilot):
        await press(pilot, IMAGES)
        await shows(app, BASE)
        await shows(app, "2 images")
        assert " base " in text_of(app)
        await box.images.pull("fake/image:latest", lambda _: None)
        screen = app.screen
        assert isinstance(screen, ImagesScreen)
        screen._look_again()
        await until(lambda: len(screen.table.rows) == 3)
        # The evaluation names it without its tag.
        await until(lambda: screen._tally(screen.table.rows[0]).active == 1)
        await press(pilot, "slash", *"name:python", "enter")
        await until(lambda: len(screen.table.rows) == 1)
        await press(pilot, "enter")
        assert isinstance(app.screen, Whole)
        await shows(app, "python@sha256:")
        await shows(app, "0 evaluations, 0 of them running")


async def test_pulling_tells_how_far_it_is(box: LocalBox) -> None:
    async with control(box) as (app, pilot):
        await press(pilot, IMAGES, "P")
        await shows(app, "Pull which image?")
        await press(pilot, *"alpine", "enter")
        await shows(app, "pulled alpine")
        await shows(app, "alpine:latest")
        assert "alpine:latest" in await names(box)
        await press(pilot, "P", *"no-such", "enter")
        await shows(app, "image no-such cannot be pulled")
        await press(pilot, "P", "escape")
        assert isinstance(app.screen, ImagesScreen)


async def test_one_thing_is_done_at_a_time(box: LocalBox, monkeypatch: pytest.MonkeyPatch) -> None:
    goes_on = asyncio.Event()

    async def slowly(self: FakeImages, reference: str, progress: Any) -> Image:
        progress("\x1b[31m17 %\x1b[0m")
        await goes_on.wait()
        return await self.get(BASE)

    monkeypatch.setattr(FakeImages, "pull", slowly)
    async with control(box) as (app, pilot):
        await press(pilot, IMAGES, "P", *"slow", "enter")
        await shows(app, "pulling slow: ^[[31m17 %")
        await press(pilot, "b", "y")
        await shows(app, "not now: pulling slow")
        goes_on.set()
        await shows(app, "pulled slow")


async def test_loading_a_file(box: LocalBox, tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "kept.tar", "w") as archive:
        archive.add(__file__, "layer")
    async with control(box) as (app, pilot):
        await press(pilot, IMAGES, "l", *str(tmp_path / "kept.tar"), "enter")
        await shows(app, "loaded loaded/kept:latest")
        await press(pilot, "l", *"gone.tar", "enter")
        await shows(app, "gone.tar: no such file")


async def test_the_base_image_is_built(box: LocalBox) -> None:
    await box.images.remove(BASE)
    async with control(box) as (app, pilot):
        await press(pilot, IMAGES)
        await shows(app, "The engine has no images.")
        await press(pilot, "b", "enter")
        assert not await names(box)
        await press(pilot, "b", "y")
        await shows(app, f"{BASE} is there")
        assert await names(box) == {BASE}


async def test_removing_asks(tmp_path: Path) -> None:
    async with opened(tmp_path / "box") as box:
        await box.images.pull("alpine", lambda _: None)
        async with control(box) as (app, pilot):
            await press(pilot, IMAGES)
            await shows(app, "alpine:latest")
            await press(pilot, "D", "enter")
            assert await names(box) == {BASE, "alpine:latest"}
            await press(pilot, "a", "D")
            await shows(app, "Remove 2 images?")
            await press(pilot, "y")
            await shows(app, "The engine has no images.")
            assert not await names(box)


async def test_what_is_in_use_stays(box: LocalBox) -> None:
    images = box._engine("fake").images  # type: ignore[attr-defined]
    images.used.add(BASE)
    async with control(box) as (app, pilot):
        await press(pilot, IMAGES)
        await shows(app, BASE)
        await press(pilot, "D", "y")
        await shows(app, f"image {BASE} is in use")
        assert await names(box) == {BASE}


async def test_read_only(box: LocalBox) -> None:
    async with control(box, read_only=True) as (app, pilot):
        await press(pilot, IMAGES)
        await shows(app, BASE)
        await press(pilot, *"PblD")
        assert not isinstance(app.screen, Choice)
        assert isinstance(app.screen, ImagesScreen)


async def test_an_engine_that_is_down_is_told(
    box: LocalBox, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def down(_: FakeImages) -> list[Image]:
        raise EngineUnavailable("the engine is not there\x1b[2J")

    monkeypatch.setattr(FakeImages, "list", down)
    async with control(box, size=(60, 16), ascii=True, colour=False) as (app, pilot):
        await press(pilot, IMAGES)
        await shows(app, "the engine is not there^[[2J")


async def test_hostile_names(box: LocalBox, monkeypatch: pytest.MonkeyPatch) -> None:
    name = "[red]x[/red]\x1b[2J\u202e" + "y" * 10_000
    hostile = Image("sha256:" + "a" * 64, "x", (name,), 5, None)

    async def found(_: FakeImages) -> list[Image]:
        return [hostile, Image("sha256:" + "b" * 64, "", (), 1 << 60)]

    monkeypatch.setattr(FakeImages, "list", found)
    async with control(box, size=(80, 24)) as (app, pilot):
        await press(pilot, IMAGES)
        await shows(app, "[red]x[/red]^[[2J<U+202E>yyy")
        await press(pilot, "enter")
        await shows(app, "y" * 40)
        assert "\x1b" not in text_of(app)
