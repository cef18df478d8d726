"""The log of an evaluation: followed, searched, wrapped, saved."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from conftest import in_state, shows, spec, submit, text_of, until
from test_evaluation_panes import looking, press, screen_of
from textual.widgets import Input

from evalbox.domain.evaluation import InputFile
from evalbox.domain.records import OutputPiece
from evalbox.domain.state import State
from evalbox.service.local import LocalBox
from evalbox.tui.app import MissionControl
from evalbox.tui.screens.evaluation.log import LogPane
from evalbox.tui.screens.prompt import Prompt
from evalbox.tui.widgets.logview import LogView


def view_of(app: MissionControl) -> LogView:
    pane = screen_of(app).pane
    assert isinstance(pane, LogPane)
    return pane.reader.view


async def printing(box: LocalBox, data: bytes, *more: str, **other: Any) -> str:
    """An evaluation that prints ``data``."""
    blob, size = await box.upload(data)
    stdin = InputFile("/dev/stdin", blob, size)
    (one,) = await submit(box, spec("prints", "cat", *more, stdin=stdin, **other))
    return one


async def test_it_follows_until_it_is_scrolled(box: LocalBox) -> None:
    one = await printing(box, b"".join(b"line %d\n" % place for place in range(500)))
    await in_state(box, one, State.COMPLETED)
    async with looking(box, one) as (app, pilot):
        await shows(app, "line 499")
        await shows(app, "following")
        await press(pilot, "k")
        await until(lambda: "following" not in text_of(app).split("\n")[5])
        await press(pilot, "g")
        await shows(app, "line 0 ")
        await press(pilot, "f")
        await shows(app, "line 499")
        await press(pilot, "pageup", "pagedown")
        await shows(app, "following")


async def test_searching(box: LocalBox) -> None:
    lines = [b"needle %d" % place if place % 100 == 50 else b"hay" for place in range(1000)]
    one = await printing(box, b"\n".join(lines) + b"\n")
    await in_state(box, one, State.COMPLETED)
    async with looking(box, one) as (app, pilot):
        await shows(app, "1,000 lines")
        await press(pilot, "slash", *"NEEDLE")
        await shows(app, "10 lines found")
        await shows(app, "needle 950")
        await press(pilot, "enter", "N")
        await shows(app, "needle 850")
        await press(pilot, "n", "n")
        await shows(app, "needle 50 ")
        await press(pilot, "escape")
        await until(lambda: "found" not in text_of(app))
        screen_of(app)
        await press(pilot, "slash", *"nosuch", "escape")
        await shows(app, "0 lines found")


async def test_what_is_found_across_a_break_is_marked(box: LocalBox) -> None:
    one = await printing(box, b"x" * 95 + b"needle" + b"y" * 50 + b"\n")
    await in_state(box, one, State.COMPLETED)
    async with looking(box, one, size=(100, 30)) as (app, pilot):
        await shows(app, "xxxxx")
        await press(pilot, "slash", *"needle", "enter")
        await shows(app, "1 line found")
        hits = [
            (segment.text, y)
            for y in range(2)
            for segment in view_of(app).render_line(y)
            if segment.style is not None and segment.style.bold
        ]
        assert "".join(text for text, _ in hits) == "needle"
        assert {y for _, y in hits} == {0, 1}


async def test_streams_times_and_wrapping(box: LocalBox) -> None:
    (one,) = await submit(
        box, spec("both", "echo", "out", ";", "error", "err", ";", "echo", "w" * 300)
    )
    await in_state(box, one, State.COMPLETED)
    async with looking(box, one) as (app, pilot):
        await shows(app, "▎ err")
        await shows(app, "  out")
        assert sum("wwww" in line for line in text_of(app).split("\n")) == 3
        await press(pilot, "t")
        await until(lambda: any(":" in line[:8] for line in text_of(app).split("\n")[6:9]))
        await press(pilot, "w")
        await until(lambda: sum("wwww" in line for line in text_of(app).split("\n")) == 1)
        await press(pilot, "right", "left")
        await until(lambda: "wrapped" not in text_of(app))


async def test_wide_characters_break_between_lines_and_none_is_lost(box: LocalBox) -> None:
    text = "日本語" * 60
    one = await printing(box, f"a{text}\n".encode())
    await in_state(box, one, State.COMPLETED)
    async with looking(box, one, size=(80, 24)) as (app, _):
        await shows(app, "日本語")
        shown = "".join(line.strip() for line in text_of(app).split("\n")[6:20])
        assert shown == f"a{text}"


async def test_the_beginning_of_much_output_is_told_to_be_left_out(box: LocalBox) -> None:
    one = await printing(box, b"12345678\n" * 400_000)
    await in_state(box, one, State.COMPLETED)
    async with looking(box, one, size=(120, 24)) as (app, pilot):
        await shows(app, "on  following")
        await until(lambda: len(view_of(app).source) == 10_000)
        await press(pilot, "g")
        await shows(app, "12345678")


async def test_saving(box: LocalBox, tmp_path: Path) -> None:
    data = b"\x1b[31mred\x1b[0m\n\xff" * 1000
    one = await printing(box, data)
    await in_state(box, one, State.COMPLETED)
    place = tmp_path / "new" / "out.log"
    async with looking(box, one) as (app, pilot):
        await press(pilot, "S")
        await until(lambda: isinstance(app.screen, Prompt))
        app.screen.query_one(Input).value = str(place)
        await press(pilot, "enter")
        await shows(app, "13.7 KiB in")
        assert place.read_bytes() == data
        place.write_bytes(b"precious")
        for answer, left in (("n", b"precious"), ("y", data)):
            await press(pilot, "S")
            await until(lambda: isinstance(app.screen, Prompt))
            app.screen.query_one(Input).value = str(place)
            await press(pilot, "enter")
            await shows(app, "Replace the file")
            await press(pilot, answer)
            await until(lambda: place.read_bytes() == left)  # noqa: B023
        await press(pilot, "S")
        await until(lambda: isinstance(app.screen, Prompt))
        app.screen.query_one(Input).value = str(tmp_path)
        await press(pilot, "enter")
        await shows(app, "another name")


async def test_what_is_cut_at_its_limit_says_so(box: LocalBox) -> None:
    from evalbox.domain.limits import Limits

    one = await printing(box, b"x" * 200_000, limits=Limits(output=2048))
    await in_state(box, one, State.FAILED)
    async with looking(box, one) as (app, _):
        await shows(app, "cut at its limit")


@pytest.mark.parametrize(
    "line",
    [
        "plain text of a usual length, as programs print it",
        "日本語の名前 " * 6,
        "z" + "\u0300" * 50,
    ],
)
async def test_a_flood_does_not_hold_the_loop(
    box: LocalBox, line: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A hundred thousand lines are taken in while others have their turn all along."""
    (one,) = await submit(box, spec("floods", "sleep", "600"))
    await in_state(box, one, State.RUNNING)
    data = (line + "\n").encode() * 100_000

    begun = asyncio.Event()

    async def flood(*_: Any, **__: Any) -> AsyncIterator[OutputPiece]:
        await begun.wait()
        for at in range(0, len(data), 1 << 20):
            yield OutputPiece(at, 1, 0.0, data[at : at + (1 << 20)])
            await asyncio.sleep(0)

    monkeypatch.setattr(box, "output", flood)
    async with looking(box, one) as (app, pilot):
        turns = 0
        begun.set()
        async with asyncio.timeout(60):
            while view_of(app).source.total < 100_000:
                await asyncio.sleep(0)
                turns += 1
        # Of pieces of 8 KiB each.
        assert turns >= len(data) // (8 << 10)
        await press(pilot, "g")
        assert not view_of(app).following
