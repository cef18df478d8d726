"""Tasks that a driver leads, on the screen: phases, scores between, and a person's word."""

from __future__ import annotations

import json
import math
from functools import partial
from pathlib import Path
from typing import Any, cast

import pytest
from conftest import control, in_state, shows, spec, submit, text_of, until
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from test_evaluation_panes import looking, press, screen_of

from evalbox.domain.evaluation import EvaluationSpec
from evalbox.domain.event import Event
from evalbox.domain.outcome import Outcome
from evalbox.domain.records import EvaluationFilter
from evalbox.domain.report import IntermediateScore, TaskReport
from evalbox.domain.score import Score, ScoreKind
from evalbox.domain.state import State
from evalbox.service.local import LocalBox
from evalbox.tasks.standard.planning import REPORT
from evalbox.tui.glyphs import ASCII, BLOCK
from evalbox.tui.model.timeline import Phase, Step, Track, tracks
from evalbox.tui.screens.evaluation.between import drawn_between
from evalbox.tui.screens.evaluation.grading import Grading
from evalbox.tui.screens.evaluation.log import LogPane
from evalbox.tui.screens.evaluation.timeline import drawn_track
from evalbox.tui.widgets.picture import measure

PHASES = ["setup", "start", "agent", "score", "teardown"]
HOSTILE = "\x1b[2J[red]x[/red] \u202e 👩\u200d👩\u200d👧 " + "y" * 10_000


def led(
    *between: str, score: dict[str, Any] | None = None, told: list[Any] | None = None, **more: Any
) -> EvaluationSpec:
    report = {"outcome": "ok", "score": score or {"kind": "manual"}, "intermediate": told or []}
    words: list[str] = []
    for name in PHASES:
        words += ["error", f"==> {name}", ";", *between, ";"]
    return spec("family/task", *words, "artifact", REPORT, json.dumps(report),
                kind="task-standard", artifacts=(REPORT,), **more)  # fmt: skip


def entry(value: float | None, elapsed: float | None, **more: Any) -> dict[str, Any]:
    score = {"kind": "invalid", "reason": "nan"} if value is None else {
        "kind": "number", "value": value}  # fmt: skip
    return {"score": score, "elapsed_seconds": elapsed, **more}


# --- phases ---


def event(seq: int, kind: str, at: float, **data: Any) -> Event:
    return Event(seq, at, f"evaluation.{kind}", "x", 1, data)


def test_steps_are_those_of_their_attempt() -> None:
    events = [
        event(1, "queued", 0), event(2, "starting", 1), event(3, "running", 2),
        event(4, "phase", 3, phase="setup"), event(5, "phase", 4, phase="agent"),
        event(6, "phase", 6, phase="score"), event(7, "scoring", 6),
        event(8, "queued", 9, outcome="failed"), event(9, "starting", 10),
        event(10, "running", 11), event(11, "phase", 12, phase="setup"),
    ]  # fmt: skip
    first, second = tracks(events)
    assert first.steps == (Step("setup", 3, 4), Step("agent", 4, 6), Step("score", 6, 9))
    assert first.outcome is Outcome.FAILED
    assert second.steps == (Step("setup", 12),)
    texts = ["".join(text for text, _ in line)
             for line in drawn_track(first, None, BLOCK, 20, 100)]  # fmt: skip
    assert [line.split()[0] for line in texts[1:8]] == [
        "queued", "starting", "running", "setup", "agent", "scoring", "score",
    ]  # fmt: skip


@given(st.lists(st.floats(0, 1e5), max_size=5), st.integers(60, 200), st.booleans())
def test_steps_fit(lengths: list[float], width: int, over: bool) -> None:
    at, steps = 1000.0, []
    for name, length in zip(PHASES, lengths, strict=False):
        steps.append(Step(name, at, at + length))
        at += length
    phases = (Phase(State.QUEUED, 0, 1000), Phase(State.RUNNING, 1000, at if over else None))
    lines = drawn_track(Track(1, phases, steps=tuple(steps)), None, ASCII, at, width)
    assert sum(line[0][0].strip() in PHASES for line in lines) == len(steps)
    for line in lines:
        assert measure(line) <= width + 30


async def test_phases_are_steps_of_the_timeline(box: LocalBox) -> None:
    (one,) = await submit(box, led())
    await in_state(box, one, State.COMPLETED)
    async with looking(box, one) as (app, pilot):
        await press(pilot, "3")
        for name in ["running", *PHASES]:
            await shows(app, f" {name} ")
        await press(pilot, "4")
        await shows(app, "comes to its phase agent")


@pytest.mark.parametrize("size", [(60, 16), (120, 36)])
async def test_the_log_goes_from_phase_to_phase(box: LocalBox, size: tuple[int, int]) -> None:
    lines = [word for _ in range(60) for word in ("echo", "==> agent", ";")]
    (one,) = await submit(box, led(*lines))
    await in_state(box, one, State.COMPLETED)
    async with looking(box, one, size=size) as (app, pilot):
        pane = screen_of(app).pane
        assert isinstance(pane, LogPane)
        view = pane.reader.view
        await until(lambda: view._layout.rows == 61 * 5)

        def at(name: str) -> bool:
            line = pane._log.line(view.scroll_offset.y + 1)
            return line is not None and (line.stream, line.text) == (2, f"==> {name}")

        await press(pilot, "g")
        for name in PHASES[1:]:
            await press(pilot, "right_square_bracket")
            await until(partial(at, name))
        await press(pilot, "right_square_bracket")
        await shows(app, "there is no phase that way")
        for name in reversed(PHASES[:-1]):
            await press(pilot, "left_square_bracket")
            await until(partial(at, name))
        assert not view.following


async def test_near_the_end_every_phase_is_come_to_once(box: LocalBox) -> None:
    (one,) = await submit(box, led())
    await in_state(box, one, State.COMPLETED)
    async with looking(box, one) as (app, pilot):
        pane = cast(LogPane, screen_of(app).pane)
        await until(lambda: pane.reader.view._layout.rows == 5)
        await press(pilot, "g")
        for _ in PHASES[1:]:
            await press(pilot, "right_square_bracket")
            assert "there is no phase" not in text_of(app)
        await press(pilot, "right_square_bracket")
        await shows(app, "there is no phase that way")


async def test_without_phases_the_keys_are_those_of_the_screen(box: LocalBox) -> None:
    (one,) = await submit(box, spec("waits", "error", "==> agent", not_before=4e9))
    async with looking(box, one) as (app, pilot):
        await press(pilot, "left_square_bracket")
        await shows(app, "priority: 1 high")


# --- scores between ---


def text(report: TaskReport, width: int = 80) -> list[str]:
    lines = drawn_between(report, BLOCK, width)
    return ["".join(part for part, _ in line).rstrip() for line in lines]


_scores = st.floats(allow_nan=False, allow_infinity=False) | st.none()


@given(
    st.lists(st.tuples(_scores, st.none() | st.floats(0, 1e9)), max_size=30),
    st.integers(20, 200),
    st.sampled_from([BLOCK, ASCII]),
)
def test_scores_over_time_fit_whatever_they_are(
    given_: list[tuple[float | None, float | None]], width: int, glyphs: Any
) -> None:
    entries = tuple(
        IntermediateScore(
            Score(ScoreKind.INVALID, reason="x") if value is None
            else Score(ScoreKind.NUMBER, value), elapsed=elapsed,
        )
        for value, elapsed in given_
    )  # fmt: skip
    lines = drawn_between(TaskReport(Outcome.OK, intermediate=entries), glyphs, width)
    assert bool(lines) == bool(entries)
    for line in lines[2:8] if any(value is not None for value, _ in given_) else ():
        assert measure(line) <= max(width, 40)


def test_scores_over_time_are_columns() -> None:
    entries = tuple(
        IntermediateScore(Score(ScoreKind.NUMBER, value), elapsed=at)
        for at, value in [(0.0, 0.0), (10.0, 1.0), (20.0, 0.5)]
    )
    lines = text(TaskReport(Outcome.OK, intermediate=entries, left_out=7))
    assert lines[1] == " over time"
    assert lines[2].startswith("        1 ")
    assert lines[6].startswith("        0 ")
    assert lines[7].split() == ["0", "ms", "20.0", "s"]
    assert lines[8] == " the newest 200, and 7 before"
    assert lines[9].split() == ["20.0", "s", "0.5"]


@pytest.mark.parametrize("way", ["local", "socket", "tcp"])
async def test_scores_between_stand_on_the_pane(tmp_path: Path, way: str) -> None:
    from api_support import reached

    told = [entry(0.1, 1.0, message={"seen": HOSTILE}), entry(None, 2.0),
            entry(0.75, 3.5, details={"hidden": "why"})]  # fmt: skip
    async with reached(way, tmp_path / "served") as found:
        box = cast(LocalBox, found.box)
        (one,) = await submit(box, led(told=told, score={"kind": "number", "value": 0.75}))
        await in_state(box, one, State.COMPLETED)
        async with looking(box, one) as (app, pilot):
            await press(pilot, "8")
            await shows(app, "over time")
            await shows(app, '{"hidden": "why"}')
            await shows(app, "invalid")
            await shows(app, '{"seen": ')
            shown = text_of(app)
            assert "\x1b" not in shown
            assert "\u202e" not in shown
            assert {cell_len(line) for line in shown.splitlines()} == {120}


async def test_what_has_no_report_has_none_to_show(box: LocalBox) -> None:
    (one, other) = await submit(box, spec("x"), led("sleep", "inf"))
    await in_state(box, one, State.COMPLETED)
    async with looking(box, one) as (app, pilot):
        await press(pilot, "8")
        await shows(app, "no score was asked for")
    await in_state(box, other, State.RUNNING)
    async with looking(box, other) as (app, pilot):
        await press(pilot, "8")
        await shows(app, "not scored yet")
        await box.cancel([other])
        await shows(app, "there is no score: the attempt ended before it came to one")


# --- a person's word ---


@pytest.mark.parametrize("size", [(60, 16), (120, 36)])
@pytest.mark.parametrize("plain", [False, True])
async def test_a_person_says_what_it_is_worth(
    box: LocalBox, size: tuple[int, int], plain: bool
) -> None:
    (one,) = await submit(box, led())
    await in_state(box, one, State.COMPLETED)
    async with looking(box, one, size=size, ascii=plain) as (app, pilot):
        await press(pilot, "8")
        await shows(app, "a person has yet to say")
        await press(pilot, "s")
        await until(lambda: isinstance(app.screen, Grading))
        await shows(app, "What is it worth?")
        await shows(app, "so far: manual")
        await press(pilot, "x", "enter")
        await shows(app, "give a number as the score")
        await press(pilot, "backspace", *"-0.5", "enter")
        cast(Grading, app.screen)._by.value = ""
        await shows(app, "say who gives the score")
        await press(pilot, *"ann", "enter", *"nearly", "enter")
        await shows(app, "scored -0.5")
        await until(lambda: not isinstance(app.screen, Grading))
        await shows(app, "-0.5")
        await shows(app, "given by")
        await shows(app, "nearly")
        # The next one begins with the same name.
        await press(pilot, "s")
        await until(lambda: isinstance(app.screen, Grading))
        assert cast(Grading, app.screen)._by.value == "ann"
        await press(pilot, "escape")
        await until(lambda: not isinstance(app.screen, Grading))
    found = await box.get(one)
    assert found.score == Score(ScoreKind.NUMBER, -0.5, "nearly")
    verdict = (await box.attempts(one))[0].verdict
    assert verdict is not None
    assert verdict.score is not None
    assert verdict.score.by == "ann"


async def test_not_a_number_is_not_given(box: LocalBox) -> None:
    (one,) = await submit(box, led())
    await in_state(box, one, State.COMPLETED)
    async with looking(box, one) as (app, pilot):
        await press(pilot, "8", "s")
        await until(lambda: isinstance(app.screen, Grading))
        screen = cast(Grading, app.screen)
        for typed in ("nan", "inf", "1e999", HOSTILE):
            screen._value.value = typed
            screen._by.value = "ann"
            await press(pilot, "enter")
            assert app.screen is screen
        await press(pilot, "escape")
    assert (await box.get(one)).score == Score(ScoreKind.MANUAL)


async def test_what_cannot_be_scored_is_said(box: LocalBox) -> None:
    (one,) = await submit(box, led("sleep", "inf"))
    await in_state(box, one, State.RUNNING)
    async with looking(box, one) as (app, pilot):
        await press(pilot, "8", "s")
        await shows(app, "only what is completed or failed can be scored")
        assert not isinstance(app.screen, Grading)


async def test_read_only_scores_nothing(box: LocalBox) -> None:
    (one,) = await submit(box, led())
    await in_state(box, one, State.COMPLETED)
    async with looking(box, one, read_only=True) as (app, pilot):
        await press(pilot, "8")
        await shows(app, "a person has yet to say")
        await press(pilot, "s")
        assert not isinstance(app.screen, Grading)
        assert " s score" not in text_of(app)


async def test_lists_tell_of_a_score_that_was_given_elsewhere(box: LocalBox) -> None:
    one, other = await submit(box, led(), led())
    await in_state(box, one, State.COMPLETED)
    await in_state(box, other, State.COMPLETED)
    async with control(box, size=(200, 40)) as (app, pilot):
        await until(lambda: len(app.context.book.rows) == 2)
        await press(pilot, "slash", *"score:manual", "enter")
        await shows(app, one[-8:])
        await box.set_score(one, 0.25, by="ann")
        await until(lambda: one[-8:] not in text_of(app))
        assert other[-8:] in text_of(app)
        row = app.context.book.get(one)
        assert row is not None
        assert row.score is not None
        assert math.isclose(row.score.value or 0, 0.25)
    found = await box.list(EvaluationFilter(scores=frozenset({ScoreKind.MANUAL})))
    assert [item.id for item in found] == [other]
