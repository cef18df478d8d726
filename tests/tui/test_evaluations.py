"""What the table of all evaluations tells of each."""

from __future__ import annotations

from dataclasses import replace

import pytest
from conftest import control, in_state, shows, spec, submit, text_of, until

from evalbox.domain.activity import Activity
from evalbox.domain.limits import Limits
from evalbox.domain.outcome import Outcome
from evalbox.domain.score import ScoreKind
from evalbox.domain.state import State
from evalbox.service.local import LocalBox
from evalbox.tui import wording
from evalbox.tui.app import MissionControl
from evalbox.tui.glyphs import BLOCK
from evalbox.tui.model.row import Course, Row, slim
from evalbox.tui.screens.listing import Listing
from evalbox.tui.theme import Tone

NOW = 1_700_000_000.0
MIB = 1 << 20


def named(app: MissionControl) -> list[str]:
    assert isinstance(app.screen, Listing)
    return [row.name for row in app.screen.table.rows]


def headers(app: MissionControl) -> list[str]:
    (line,) = [line for line in text_of(app).splitlines() if " STATE" in line]
    return line.split()


async def test_columns_come_with_what_they_show(box: LocalBox) -> None:
    (plain,) = await submit(box, spec("plain"))
    await in_state(box, plain, State.COMPLETED)
    async with control(box, size=(200, 20)) as (app, _):
        await shows(app, "✓ completed")
        assert not {"AGENT", "SCORE", "IDLE", "CPU", "MEM", "TRIES"} & set(headers(app))
        words = ("artifact", "score.json", "0.625", ";", "error", "ValueError: no")
        await submit(
            box,
            spec("scored", *words, ";", "exit", "1", score="score.json"),
            spec("led", "work", "inf", "1.5", labels={"agent": "gpt"}),
        )
        await shows(app, "0.625")
        await shows(app, "ValueError: no")
        await until(lambda: {"AGENT", "SCORE", "IDLE", "CPU", "MEM"} <= set(headers(app)))
        await shows(app, "gpt")
        await shows(app, "running 0:0")


async def test_scores_sort_and_are_found(box: LocalBox) -> None:
    await submit(
        box,
        *(
            spec(f"worth {value}", "artifact", "score", str(value), score="score")
            for value in (0.5, 1, 0.25, '{"score": null}', "x")
        ),
        spec("without"),
    )
    async with control(box, size=(140, 20)) as (app, pilot):
        await until(lambda: app.context.book.scored == 5)
        await shows(app, "manual")
        await shows(app, "invalid")
        await pilot.press("V")
        await until(lambda: named(app)[:3] == ["worth 1", "worth 0.5", "worth 0.25"])
        await pilot.press("slash", *"score:>=0.5")
        await until(lambda: sorted(named(app)) == ["worth 0.5", "worth 1"])


async def test_a_click_on_a_header_sorts_by_it(box: LocalBox) -> None:
    await box.pause()
    await submit(box, spec("b"), spec("c"), spec("a"))
    async with control(box) as (app, pilot):
        await until(lambda: named(app) == ["a", "c", "b"])
        await pilot.click("#rows", offset=(18, 0))
        await until(lambda: named(app) == ["a", "b", "c"])
        await pilot.click("#rows", offset=(18, 0))
        await until(lambda: named(app) == ["c", "b", "a"])


async def test_what_attempts_are_at_is_asked_only_while_it_is_shown(
    box: LocalBox, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    (one,) = await submit(box, spec("long", "sleep", "inf"))
    await in_state(box, one, State.RUNNING)
    async with control(box) as (app, pilot):
        await until(lambda: one in app.context.standing.activity)
        activity = box.activity

        async def counted() -> object:
            asked.append(app.screen.NAME)  # type: ignore[attr-defined]
            return await activity()

        monkeypatch.setattr(box, "activity", counted)
        await until(lambda: len(asked) > 2)
        await pilot.press("2")
        await until(lambda: app.screen.NAME == "Queue")  # type: ignore[attr-defined]
        asked.clear()
        before = app.context.standing.version
        await until(lambda: app.context.standing.version > before + 3)
        assert not asked


def running(**other: object) -> tuple[Row, Activity]:
    row = Row("id", state=State.RUNNING, started_at=NOW - 60, changed_at=NOW - 60)
    given = {"phase": "running", "since": NOW - 50, "limits": Limits(timeout=600, memory=64 * MIB)}
    return row, Activity("id", 1, **(given | other))  # type: ignore[arg-type]


def test_progress_is_time_against_the_limit() -> None:
    row, doing = running()
    assert wording.progress(row, doing, NOW, BLOCK, 8) == ("█░░░░░░░", Tone.BUSY)
    assert wording.progress(row, doing, NOW + 500, BLOCK, 8) == ("███████░", Tone.BAD)
    assert wording.progress(row, doing, NOW + 5000, BLOCK, 8) == ("████████", Tone.BAD)
    assert wording.progress(row, None, NOW, BLOCK, 8).text == ""


def test_a_stall_is_told_from_work() -> None:
    row, doing = running()
    assert wording.idle(row, doing, NOW) == ("50s", Tone.FAINT)
    row, doing = running(last_output_at=NOW - 3)
    assert wording.idle(row, doing, NOW) == ("3s", Tone.FAINT)
    assert wording.idle(row, doing, NOW + 90) == ("2m", Tone.TEXT)
    assert wording.idle(row, doing, NOW + 900) == ("15m", Tone.WARN)
    row.state = State.COMPLETED
    assert wording.idle(row, doing, NOW).text == ""


def test_what_is_used() -> None:
    row, doing = running(cpu=1.5, memory=62 * MIB)
    assert wording.cores(row, doing) == ("1.50", Tone.TEXT)
    assert wording.memory(row, doing) == ("62M", Tone.BAD)
    row, doing = running()
    assert wording.cores(row, doing).text == ""
    assert wording.memory(row, doing).text == ""


def test_activity_is_what_it_does_or_why_it_ended() -> None:
    row, doing = running()
    assert wording.activity(row, doing, NOW).text == "running 0:50"
    assert wording.activity(row, None, NOW).text == "running 1:00"
    ended = Row(
        "id",
        state=State.FAILED,
        course=Course(reason="exit status 1", outcome=Outcome.FAILED),
    )
    assert wording.activity(ended, None, NOW).text == "exit status 1"
    ended.course = replace(ended.course, error="ValueError: no")
    assert wording.activity(ended, None, NOW).text == "ValueError: no"


@pytest.mark.parametrize(
    ("kind", "value", "shown"),
    [
        (ScoreKind.NUMBER, 0.0, ("0", Tone.STRONG)),
        (ScoreKind.NUMBER, 2 / 3, ("0.6667", Tone.STRONG)),
        (ScoreKind.NUMBER, -1e9, ("-1e+09", Tone.STRONG)),
        (ScoreKind.MANUAL, None, ("manual", Tone.WARN)),
        (ScoreKind.INVALID, None, ("invalid", Tone.BAD)),
    ],
)
def test_scores(kind: ScoreKind, value: float | None, shown: tuple[str, Tone]) -> None:
    assert wording.score(Row("id", course=Course(score=slim(kind, value)))) == shown


@pytest.mark.parametrize(
    ("size", "shown"),
    [(0, "0B"), (999, "999B"), (1000, "1.0K"), (62 * MIB, "62M"), (1.5 * (1 << 30), "1.5G"),
     (2048 * (1 << 40), "2048.0T")],
)  # fmt: skip
def test_sizes_take_few_cells(size: float, shown: str) -> None:
    assert wording.small_size(size) == shown
