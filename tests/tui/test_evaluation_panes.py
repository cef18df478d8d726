"""One evaluation, looked into by its panes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, cast

import pytest
from conftest import PATIENCE, control, in_state, shows, spec, submit, text_of, until
from rich.cells import cell_len
from textual.pilot import Pilot

from evalbox.domain.attempt import Attempt, Usage, Verdict
from evalbox.domain.evaluation import Evaluation, EvaluationSpec
from evalbox.domain.outcome import Outcome
from evalbox.domain.retry import RetryPolicy
from evalbox.domain.score import Score, ScoreCheck, ScoreKind
from evalbox.domain.state import State
from evalbox.errors import ServiceUnreachable
from evalbox.service.local import LocalBox
from evalbox.tui.app import MissionControl
from evalbox.tui.screens.choice import Choice
from evalbox.tui.screens.evaluation import EvaluationScreen
from evalbox.tui.screens.listing import Listing

HOSTILE = "\x1b[2J[red]x[/red] \u202e 👩\u200d👩\u200d👧 " + "y" * 10_000
ENDED = (State.COMPLETED, State.FAILED, State.CANCELLED, State.DEAD)


async def press(pilot: Pilot[Any], *keys: str) -> None:
    await pilot.press(*keys)
    await pilot.pause()


def screen_of(app: MissionControl) -> EvaluationScreen:
    assert isinstance(app.screen, EvaluationScreen)
    return app.screen


@asynccontextmanager
async def looking(
    box: LocalBox, evaluation_id: str, **options: Any
) -> AsyncIterator[tuple[MissionControl, Pilot[Any]]]:
    """The screen of one evaluation, with all that is known of it."""
    async with control(box, **options) as (app, pilot):
        await until(lambda: app.context.book.get(evaluation_id) is not None)
        row = app.context.book.get(evaluation_id)
        assert row is not None
        await app.push_screen(EvaluationScreen(app.context, row))
        await until(lambda: screen_of(app).subject.item is not None)
        await until(lambda: bool(screen_of(app).shown))
        yield app, pilot


def failing(*more: str, **other: Any) -> EvaluationSpec:
    return spec(
        "talks", "echo", "one", ";", "error", "oops", ";", "memory", "100000000", ";", "cpu", "2",
        *more, ";", "exit", "3", **other,
    )  # fmt: skip


async def test_every_pane_by_its_digit(box: LocalBox) -> None:
    (one,) = await submit(
        box, failing(env={"TOKEN": "secret-value"}, labels={"agent": "gpt"}, batch="night")
    )
    await in_state(box, one, State.FAILED)
    async with looking(box, one) as (app, pilot):
        for key, wanted in (
            ("1", ["agent=gpt", "night", one, "exit 3", "512.0 MiB memory"]),
            ("2", ["oops", "2 lines"]),
            ("3", ["try 1", "running", "█", "failed"]),
            ("4", ["evaluation.starting", "4 events", "failed: exit status 3"]),
            ("5", ["no samples"]),
            ("6", ["No files were kept"]),
            ("7", ["fake:fake/image", "1000:1000", "TOKEN", "not killed for it", "used 2.00 s"]),
            ("8", ["no score was asked for"]),
            ("9", ["▌try 1", "exit status 3", "95.4 MiB"]),
        ):
            await press(pilot, key)
            for words in wanted:
                await shows(app, words)
            assert "secret-value" not in text_of(app)
        await press(pilot, "tab")
        await shows(app, "── summary ")
        await press(pilot, "shift+tab")
        await shows(app, "── tries ")
        await press(pilot, "l")
        await shows(app, "── log ")
        await press(pilot, "d", "escape")
        assert isinstance(app.screen, Listing)


@pytest.mark.parametrize("way", ["socket", "tcp"])
async def test_every_pane_of_a_box_elsewhere(tmp_path: Path, way: str) -> None:
    from api_support import reached

    async with reached(way, tmp_path / "served") as found:
        box = cast(LocalBox, found.box)
        (one,) = await submit(
            box,
            failing(";", "artifact", "out/x", "text of it", artifacts=("out",),
                    retry=RetryPolicy(retries=1, base=0.01)),
        )  # fmt: skip
        await in_state(box, one, State.FAILED)
        async with looking(box, one) as (app, pilot):
            for key, wanted in zip("123456789", _SEEN, strict=True):
                await press(pilot, key)
                await shows(app, wanted)
            await press(pilot, "6", "j", "enter")
            await shows(app, "text of it")
            await press(pilot, "2", "comma")
            await shows(app, "try 1 of 2")
            await shows(app, "oops")


_SEEN = (
    "exit 3", "oops", "try 2", "evaluation.starting", "no samples", "x", "fake:fake/image",
    "no score", "▌try 2",
)  # fmt: skip


async def test_panes_are_made_when_they_are_gone_to(box: LocalBox) -> None:
    (one,) = await submit(box, failing())
    await in_state(box, one, State.FAILED)
    async with looking(box, one) as (app, pilot):
        assert [pane.NAME for pane in screen_of(app).shown] == ["log"]
        assert len(app.screen.query(".pane")) == 1
        await press(pilot, "4")
        await until(lambda: len(app.screen.query(".pane")) == 2)
        assert [pane.NAME for pane in screen_of(app).shown] == ["events"]


async def test_a_wide_terminal_has_two_panes(box: LocalBox) -> None:
    (one,) = await submit(box, failing())
    await in_state(box, one, State.FAILED)
    async with looking(box, one, size=(160, 40)) as (app, pilot):
        for key, names in (("2", "summary log"), ("1", "summary log"), ("7", "summary sandbox")):
            await press(pilot, key)
            for name in names.split():
                await shows(app, f"── {name} ")
        await press(pilot, "z")
        await until(lambda: "── summary" not in text_of(app))
        assert "1 summary" not in text_of(app)
        await shows(app, "── sandbox ")
        await press(pilot, "z")
        await shows(app, "── summary ")
        await pilot.resize_terminal(80, 24)
        await until(lambda: "── summary" not in text_of(app))
        await pilot.resize_terminal(160, 40)
        await shows(app, "── summary ")


async def test_attempts_are_told_apart(box: LocalBox) -> None:
    policy = RetryPolicy(retries=2, base=0.01)
    (one,) = await submit(box, spec("flaky", "echo", "try", ";", "flaky", "2", retry=policy))
    await in_state(box, one, State.COMPLETED)
    async with looking(box, one) as (app, pilot):
        await shows(app, "try 3 of 3")
        await press(pilot, "comma")
        await shows(app, "try 2 of 3")
        await press(pilot, "7")
        await shows(app, "failed")
        await press(pilot, "9")
        await shows(app, "▌try 2")
        await press(pilot, "full_stop", "full_stop")
        await shows(app, "no other attempt")
        await shows(app, "▌try 3")
        await press(pilot, "3")
        await shows(app, "try 3")


async def test_many_attempts_are_paged_through(box: LocalBox) -> None:
    policy = RetryPolicy(retries=9, base=0.001)
    (one,) = await submit(box, spec("flaky", "flaky", "9", retry=policy))
    await in_state(box, one, State.COMPLETED)
    async with looking(box, one, size=(80, 24)) as (app, pilot):
        await press(pilot, "9")
        await shows(app, "8 to 10 of 10 attempts")
        await press(pilot, *["comma"] * 9)
        await shows(app, "1 to 3 of 10 attempts")
        assert "▌try 1" in text_of(app)


async def test_what_is_under_way_is_seen_live(box: LocalBox) -> None:
    (one,) = await submit(
        box, spec("runs", "memory", "300000000", ";", "echo", "begun", ";", "sleep", "600")
    )
    await in_state(box, one, State.RUNNING)
    async with looking(box, one) as (app, pilot):
        await shows(app, "begun")
        await shows(app, "● running")
        await press(pilot, "5")
        await shows(app, "limit 512M")
        await shows(app, "286M of 512M")
        await press(pilot, "v")
        await shows(app, "⣿")
        await press(pilot, "v")
        await until(lambda: "⣿" not in text_of(app))
        await press(pilot, "7")
        await shows(app, "under way")
        await press(pilot, "9")
        await shows(app, "under way")
        await press(pilot, "x")
        await until(lambda: isinstance(app.screen, Choice))
        await press(pilot, "y")
        await in_state(box, one, State.CANCELLED)
        await shows(app, "– cancelled")


async def test_why_it_waits(box: LocalBox) -> None:
    await box.pause()
    (one,) = await submit(box, spec("waits"))
    async with looking(box, one) as (app, pilot):
        await shows(app, "paused")
        await press(pilot, "1")
        await shows(app, "waits")
        for key, told in (("3", "queued"), ("7", "not started"), ("9", "none yet")):
            await press(pilot, key)
            await shows(app, told)
        await press(pilot, "S")
        await box.resume()
        await in_state(box, one, State.COMPLETED)
        await shows(app, "✓ completed")


async def test_trying_again_goes_on_in_the_new_attempt(box: LocalBox) -> None:
    (one,) = await submit(box, spec("again", "echo", "hello", ";", "false"))
    await in_state(box, one, State.FAILED)
    async with looking(box, one) as (app, pilot):
        await shows(app, "hello")
        await press(pilot, "r")
        async with asyncio.timeout(PATIENCE):
            while (await box.get(one)).attempts < 2:
                await asyncio.sleep(0.01)
        await shows(app, "try 2 of 2")
        await shows(app, "hello")


async def test_removing_goes_back(box: LocalBox) -> None:
    (one,) = await submit(box, spec("gone"))
    await in_state(box, one, State.COMPLETED)
    async with looking(box, one) as (app, pilot):
        await press(pilot, "D", "y")
        await until(lambda: isinstance(app.screen, Listing))


async def test_a_box_that_is_lost_and_found(box: LocalBox, monkeypatch: pytest.MonkeyPatch) -> None:
    (one,) = await submit(box, spec("runs", "echo", "begun", ";", "sleep", "600"))
    await in_state(box, one, State.RUNNING)
    get, tries = box.get, 0

    async def lost(evaluation_id: str) -> Evaluation:
        nonlocal tries
        tries += 1
        raise ServiceUnreachable("no box answers")

    async with looking(box, one) as (app, _):
        await shows(app, "begun")
        told = []
        monkeypatch.setattr(app.screen, "tell_error", told.append)
        monkeypatch.setattr(box, "get", lost)
        await until(lambda: tries > 5)
        assert len(told) == 1
        monkeypatch.setattr(box, "get", get)
        await box.cancel([one])
        await shows(app, "– cancelled")


async def test_scores_and_errors(box: LocalBox, monkeypatch: pytest.MonkeyPatch) -> None:
    (one,) = await submit(box, failing())
    await in_state(box, one, State.FAILED)
    checks = (ScoreCheck("compiles", True), ScoreCheck(HOSTILE, False, 0.5, HOSTILE))
    score = Score(ScoreKind.NUMBER, 0.25, checks=checks)
    verdict = Verdict(Outcome.OUT_OF_MEMORY, None, 9, "r", True, "error: " + HOSTILE, score)
    attempt = Attempt(
        one, 1, 1.0, "fake", started_at=2.0, finished_at=3.0, verdict=verdict,
        usage=Usage(1.0, 2, 3, 4, 5, 6, 7), truncated=True,
    )  # fmt: skip

    async def attempts(_: str) -> list[Attempt]:
        return [attempt]

    monkeypatch.setattr(box, "attempts", attempts)
    async with looking(box, one) as (app, pilot):
        for key, wanted in (
            ("8", ["0.25", "1 of 2 passed", "✓ compiles", "✗ ^[[2J[red]x"]),
            ("7", ["killed for it", "the rest was cut"]),
            ("9", ["killed for memory", "error: ^[[2J[red]", "0.25", "(cut)"]),
        ):
            await press(pilot, key)
            for words in wanted:
                await shows(app, words)


async def test_a_score_that_was_left_in_its_file(box: LocalBox) -> None:
    good, bad = await submit(
        box,
        spec("good", "artifact", "score.json", '{"score": 0.5}', score="score.json"),
        spec("bad", "artifact", "score.json", "[red]none[/]", score="score.json"),
    )
    await in_state(box, good, *ENDED)
    await in_state(box, bad, *ENDED)
    for one, wanted in ((good, ["0.5"]), (bad, ["invalid", "[red]none[/]"])):
        async with looking(box, one) as (app, pilot):
            await press(pilot, "8")
            for words in wanted:
                await shows(app, words)


@pytest.mark.parametrize("size", [(60, 16), (80, 24), (160, 40)])
@pytest.mark.parametrize("plain", [False, True])
async def test_hostile_names_on_every_pane(
    box: LocalBox, size: tuple[int, int], plain: bool
) -> None:
    name = "[red]x[/red] ❤️👩👧" + "日本" * 80
    (one,) = await submit(
        box,
        spec(name[:180], "echo", HOSTILE, ";", "error", HOSTILE, ";", "artifact",
             "out/" + HOSTILE[:60], HOSTILE, ";", "false", batch="[b]batch[/b]",
             labels={"[red]": "[/red]" * 20}, artifacts=("out",)),
    )  # fmt: skip
    await in_state(box, one, *ENDED)
    async with looking(box, one, size=size, ascii=plain, colour=not plain) as (app, pilot):
        for key in "123456789":
            await press(pilot, key)
            shown = text_of(app)
            for line in shown.split("\n"):
                assert cell_len(line) == size[0]
            assert not {"\x1b", "\u202e", "\u200d"} & set(shown)


async def test_ascii_draws_every_pane_with_nothing_else(box: LocalBox) -> None:
    ended, runs = await submit(
        box,
        failing(";", "artifact", "out/a/x", "text", artifacts=("out",),
                retry=RetryPolicy(retries=1, base=0.01)),
        spec("runs", "memory", "400000000", ";", "sleep", "600"),
    )  # fmt: skip
    await in_state(box, ended, State.FAILED)
    await in_state(box, runs, State.RUNNING)
    for one in (ended, runs):
        async with looking(box, one, size=(160, 40), ascii=True) as (app, pilot):
            for key in "123456789":
                await press(pilot, key)
                if one == runs and key == "5":
                    await shows(app, "of 512M")
                assert not {letter for letter in text_of(app) if ord(letter) > 126}, key


async def test_read_only_looks_and_saves_nothing_in_the_box(box: LocalBox) -> None:
    (one,) = await submit(box, spec("runs", "sleep", "600"))
    await in_state(box, one, State.RUNNING)
    async with looking(box, one, read_only=True) as (app, pilot):
        await press(pilot, "x", "r", "D", "1", "9")
        assert isinstance(app.screen, EvaluationScreen)
        assert (await box.get(one)).state is State.RUNNING


async def test_every_binding_here_has_an_id_and_says_what_it_does(box: LocalBox) -> None:
    (one,) = await submit(box, failing())
    await in_state(box, one, State.FAILED)
    async with looking(box, one) as (app, pilot):
        for key in "123456789":
            await press(pilot, key)
            for active in app.screen.active_bindings.values():
                if active.binding.show:
                    assert active.binding.id, active.binding
                    assert active.binding.tooltip, active.binding
