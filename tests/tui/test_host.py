"""The machine and what runs on it."""

from __future__ import annotations

from typing import Any

import pytest
from conftest import control, in_state, shows, spec, submit, text_of, until
from textual.pilot import Pilot

from evalbox.domain.host import HostReport, HostSample
from evalbox.domain.state import State
from evalbox.service.local import LocalBox
from evalbox.tui.glyphs import ASCII, BLOCK
from evalbox.tui.model.past import PARTS, Figure, Past
from evalbox.tui.model.standing import Standing
from evalbox.tui.screens.choice import Choice
from evalbox.tui.screens.evaluation import EvaluationScreen
from evalbox.tui.screens.host import HostScreen
from evalbox.tui.screens.machine import history, overview
from evalbox.tui.widgets.picture import Line, measure

HOST = "5"


async def press(pilot: Pilot[Any], *keys: str) -> None:
    await pilot.press(*keys)
    await pilot.pause()


def sample(at: float, cores: int = 2, **other: Any) -> HostSample:
    given: dict[str, Any] = {
        "cpu": 50.0, "cores": (25.0, 100.0) * (cores // 2), "memory_total": 8 << 30,
        "memory_used": 2 << 30, "swap_total": 1 << 30, "swap_used": 1 << 29,
        "disk_total": 100 << 30, "disk_used": 95 << 30, "disk_free": 5 << 30,
        "load": (1.5, 1.0, 0.5), "received_rate": 2048.0, "sent_rate": 1024.0, "uptime": 3600.0,
    }  # fmt: skip
    return HostSample(at=at, **given | other)


def standing(cores: int = 2, seconds: int = 300) -> Standing:
    one = Standing()
    past = tuple(sample(float(at), cores) for at in range(seconds))
    one.host = HostReport("1.0", "b\x1b[31mox", "gvisor", 4, 3, 1, sample(float(seconds), cores))
    one.history.extend((*past, one.host.latest or past[-1]))
    return one


def past(one: Standing, seconds: float = 300.0) -> Past:
    made = Past(seconds)
    made.take(one.history)
    return made


def words(lines: list[Line]) -> str:
    return "\n".join("".join(text for text, _ in line) for line in lines)


async def test_what_runs_is_told_with_its_limits(box: LocalBox) -> None:
    async with control(box, size=(160, 36)) as (app, pilot):
        await press(pilot, HOST)
        await shows(app, "admission  open: what is due starts")
        await shows(app, "0 of 8 in use")
        await shows(app, "No sandbox runs.")
        (hog,) = await submit(box, spec("hog", "memory", "400000000", ";", "sleep", "600"))
        await submit(box, spec("[red]mouse[/red]\x1b[2J", "echo", "x", ";", "sleep", "600"))
        await shows(app, "2 of 8 in use")
        await shows(app, "381M of 512M")
        await shows(app, "[red]mouse[/red]^[[2J")
        await shows(app, "2 sandboxes run")
        screen = app.screen
        assert isinstance(screen, HostScreen)
        await press(pilot, "M")
        await until(lambda: screen.table.rows[0].name == "hog")
        await press(pilot, "g", "enter")
        assert isinstance(app.screen, EvaluationScreen)
        await press(pilot, "escape", "x")
        await shows(app, "Cancel 1 evaluation?")
        await press(pilot, "y")
        await in_state(box, hog, State.CANCELLED)
        await until(lambda: len(screen.table.rows) == 1)


async def test_how_the_machine_was(box: LocalBox) -> None:
    async with control(box, size=(80, 24)) as (app, pilot):
        await press(pilot, HOST, "h")
        await shows(app, "the last 5 minutes")
        await shows(app, "network out")
        assert "admission" not in text_of(app)
        await press(pilot, "w")
        await shows(app, "the last hour")
        await press(pilot, "h")
        await shows(app, "admission")
        await pilot.resize_terminal(200, 50)
        await shows(app, "the last hour")
        await shows(app, "No sandbox runs.")
        await shows(app, "admission")


async def test_it_changes_nothing_when_it_is_only_to_be_read(box: LocalBox) -> None:
    (one,) = await submit(box, spec("precious", "sleep", "600"))
    await in_state(box, one, State.RUNNING)
    async with control(box, read_only=True) as (app, pilot):
        await press(pilot, HOST)
        await shows(app, "1 sandbox runs")
        await press(pilot, "x")
        assert not isinstance(app.screen, Choice)
        assert (await box.get(one)).state is State.RUNNING


@pytest.mark.parametrize("width", [60, 80, 120, 200])
@pytest.mark.parametrize("cores", [2, 16, 256])
@pytest.mark.parametrize("glyphs", [BLOCK, ASCII])
def test_it_fits(width: int, cores: int, glyphs: Any) -> None:
    one = standing(cores)
    drawn = overview(one, past(one), glyphs, width, where="/a\x1b]0;b\x07/" + "long/" * 60)
    assert "\x1b" not in words(drawn)
    assert "3 of 4 in use, 1 more warm" in words(drawn)
    assert "50 %" in words(drawn)
    assert "95 %" in words(drawn)
    assert "512.0 MiB used" in words(drawn)
    assert len(drawn) <= 16
    assert max(measure(line) for line in drawn[3:]) <= width
    for height in (15, 20):
        drawn = history(sample(300.0), past(one), glyphs, width, height)
        assert max(measure(line) for line in drawn) <= width
        if width >= 80:
            assert len(drawn) <= height
    if glyphs is ASCII:
        assert words(drawn).isascii()


def test_history_tells_of_values_and_maxima() -> None:
    one = standing()
    latest = sample(301.0, cpu=90.0, memory_used=4 << 30, received_rate=5 << 20)
    one.history.append(latest)
    told = words(history(latest, past(one), BLOCK, 120, 30))
    assert "90 %, at most 90 %" in told
    assert "4.0 GiB, at most 4.0 GiB, of 8.0 GiB" in told
    assert "5.0 MiB/s, at most 5.0 MiB/s" in told
    assert "nothing has measured" in words(history(None, past(Standing()), BLOCK, 80, 20))


def test_the_past_is_told_in_parts_of_one_length() -> None:
    made = Past(600.0)
    taken = [sample(1000.0, cpu=1.0), sample(1010.0, cpu=5.0), sample(1011.0, cpu=2.0),
             sample(1024.0, cpu=3.0), sample(1061.0, cpu=4.0)]  # fmt: skip
    made.take(taken[:2])
    made.take(taken)
    # From 1010 on a part holds its greatest; what stands for longer than 15 s stands for nothing.
    assert made.columns(Figure.CPU, PARTS)[-7:] == [1.0, 5.0, 3.0, 0.0, 0.0, 0.0, 4.0]
    assert made.columns(Figure.CPU, 2 * PARTS)[-4:] == [0.0, 0.0, 4.0, 4.0]
    assert made.columns(Figure.CPU, PARTS // 2)[-3:] == [5.0, 0.0, 4.0]
    assert sum(made.columns(Figure.CPU, PARTS)) == 13.0
    made.take([sample(5000.0, cpu=7.0)])
    assert made.columns(Figure.CPU, PARTS) == [0.0] * (PARTS - 1) + [7.0]
    # Samples 10 s apart, as the box keeps them, leave no hole in parts of 5 s.
    fine = Past(300.0)
    fine.take([sample(float(at), cpu=6.0) for at in range(2000, 2300, 10)])
    assert 0.0 not in fine.columns(Figure.CPU, PARTS)[2:]
