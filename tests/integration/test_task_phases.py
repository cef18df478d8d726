"""Tasks whose life a driver leads: their phases as they come, and the verdict of the report."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from recovery_support import ended, opened, output, phase, reaches, run, settings_in, spec, until

from evalbox.config.settings import Settings
from evalbox.domain.evaluation import Evaluation, EvaluationSpec
from evalbox.domain.limits import Limits
from evalbox.domain.outcome import Outcome
from evalbox.domain.score import Score, ScoreKind
from evalbox.domain.state import State
from evalbox.engines.fake import FakeEngine
from evalbox.service.local import LocalBox
from evalbox.tasks.standard.planning import REPORT

pytestmark = pytest.mark.timeout(120)

PHASES = ["setup", "start", "agent", "score", "teardown"]


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return settings_in(tmp_path / "box")


def report(**changes: Any) -> str:
    score = {"kind": "number", "value": 0.25, "raw": "0.25"}
    return json.dumps({"outcome": "ok", "score": score} | changes)


def task(*between: str, told: str | None = None, ends: tuple[str, ...] = ()) -> EvaluationSpec:
    """Goes through its phases, with what is ``between`` in each; leaves a report, if any."""
    words: list[str] = []
    for name in PHASES:
        words += ["error", f"==> {name}", ";", *between, ";"]
    if told is not None:
        words += ["artifact", REPORT, told, ";"]
    return spec(*words, *ends, kind="task-standard", artifacts=(REPORT,))


async def phases_of(box: LocalBox, evaluation: Evaluation) -> list[str]:
    return [
        event.data.get("phase") or event.kind.removeprefix("evaluation.")
        async for event in box.events(evaluation_id=evaluation.id)
        if event.kind != "evaluation.queued"
    ]


async def test_phases_are_told_as_they_begin_and_scoring_is_a_state(settings: Settings) -> None:
    async with opened(settings, FakeEngine()) as box:
        found = await run(box, task(told=report()))
        assert (found.state, found.score) == (
            State.COMPLETED,
            Score(ScoreKind.NUMBER, 0.25),
        )
        assert await phases_of(box, found) == [
            "starting", "running", "setup", "start", "agent", "score", "scoring", "teardown",
            "completed",
        ]  # fmt: skip
        # The transcript is as it came.
        assert await output(box, found.id) == b"".join(f"==> {one}\n".encode() for one in PHASES)
        assert [one.path for one in await box.artifacts(found.id)] == [REPORT.lstrip("/")]


async def test_what_is_done_is_told_in_the_words_of_the_task(settings: Settings) -> None:
    words = ("error", "==> setup", ";", "error", "==> agent", ";", "sleep", "inf")
    async with opened(settings, FakeEngine()) as box:
        (evaluation,) = await box.submit([spec(*words, kind="task-standard")])
        doing = await phase(box, "agent")
        assert doing.evaluation_id == evaluation.id
        assert (await box.explain(evaluation.id)).startswith("running, agent for ")
        await box.cancel([evaluation.id])
        found = await ended(box, evaluation.id)
        assert (found.state, found.score) == (State.CANCELLED, None)


async def test_scripts_have_no_phases_whatever_they_print(settings: Settings) -> None:
    async with opened(settings, FakeEngine()) as box:
        found = await run(box, spec("error", "==> score", ";", "artifact", REPORT, report()))
        assert await phases_of(box, found) == ["starting", "running", "completed"]
        assert (found.outcome, found.score) == (Outcome.OK, None)


_BROKEN = report(outcome="task_error", reason="start: start raised ValueError: x", score=None)
_LATE = report(outcome="timeout", reason="the agent took longer than 5 s", score=None)
_NAN = {"kind": "invalid", "raw": "nan", "reason": "the score is not finite"}


@pytest.mark.parametrize(
    ("told", "ends", "outcome", "reason", "score"),
    [
        (report(score={"kind": "manual"}), (), Outcome.OK, "", Score(ScoreKind.MANUAL)),
        (_BROKEN, ("exit", "1"), Outcome.TASK_ERROR, "start: start raised ValueError: x", None),
        (_LATE, ("exit", "1"), Outcome.TIMEOUT, "the agent took longer than 5 s", None),
        (report(outcome="task_error", reason="score: the score is not finite", score=_NAN),
         ("exit", "1"), Outcome.TASK_ERROR, "score: the score is not finite",
         Score(ScoreKind.INVALID, reason="the score is not finite")),
        (None, ("exit", "3"), Outcome.TASK_ERROR,
         "the task's driver left no report: exit status 3", None),
        (None, (), Outcome.TASK_ERROR, "the task's driver left no report", None),
        (report(), ("oom",), Outcome.OUT_OF_MEMORY, None, None),
        (None, ("signal", "9"), Outcome.KILLED, None, None),
        (report(), ("vanish",), Outcome.INFRA_ERROR, None, None),
    ],
)  # fmt: skip
async def test_the_report_makes_the_verdict(
    settings: Settings, told: str | None, ends: tuple[str, ...], outcome: Outcome,
    reason: str | None, score: Score | None,
) -> None:  # fmt: skip
    async with opened(settings, FakeEngine()) as box:
        found = await run(box, task(told=told, ends=ends))
        assert (found.outcome, found.score) == (outcome, score)
        assert reason is None or found.reason == reason


async def test_what_the_box_stopped_is_worth_nothing(settings: Settings) -> None:
    ends = ("sleep", "inf")
    wanted = task(told=report(), ends=ends)
    async with opened(settings, FakeEngine()) as box:
        (evaluation,) = await box.submit(
            [spec(*wanted.command, kind=wanted.kind, limits=Limits(timeout=0.3))]
        )
        found = await ended(box, evaluation.id)
        assert (found.outcome, found.score) == (Outcome.TIMEOUT, None)


async def test_the_line_that_tells_what_went_wrong_is_none_of_the_driver(
    settings: Settings,
) -> None:
    ends = (
        "echo",
        "Traceback (most recent call last):",
        ";",
        "echo",
        "ValueError: x",
        ";",
        "false",
    )
    async with opened(settings, FakeEngine()) as box:
        assert (await run(box, task(told=_BROKEN, ends=ends))).error == "ValueError: x"
        assert (await run(box, task(told=_BROKEN, ends=("false",)))).error == ""


@pytest.mark.parametrize("number", range(len(PHASES)))
async def test_killed_in_a_phase_the_next_process_tells_of_the_rest_once(
    settings: Settings, number: int
) -> None:
    words: list[str] = []
    for at, name in enumerate(PHASES):
        # The line of the phase after comes half before the crash, and half after it.
        words += ["error", f"==> {name}", ";", *(("sleep", "0.7", ";") if at == number else ())]
    wanted = spec(*words, "artifact", REPORT, report(), kind="task-standard", artifacts=(REPORT,))
    engine = FakeEngine()
    async with opened(settings, engine) as box:
        (evaluation,) = await box.submit([wanted])

        async def there() -> bool:
            return PHASES[number] in await phases_of(box, evaluation)

        await until(there)
    async with opened(settings, engine) as box:
        found = await ended(box, evaluation.id)
        assert (found.outcome, found.attempts) == (Outcome.OK, 1)
        told = [one for one in await phases_of(box, evaluation) if one in PHASES]
        assert told == PHASES
        assert await output(box, found.id) == b"".join(f"==> {one}\n".encode() for one in PHASES)


async def test_a_process_that_takes_over_says_what_phase_it_found(settings: Settings) -> None:
    words = ("error", "==> setup", ";", "error", "==> score", ";", "sleep", "inf")
    engine = FakeEngine()
    async with opened(settings, engine) as box:
        (evaluation,) = await box.submit([spec(*words, kind="task-standard")])
        since = (await phase(box, "score")).since
        await reaches(box, evaluation.id, State.SCORING)
    await asyncio.sleep(0.05)
    async with opened(settings, engine) as box:
        assert (await phase(box, "score")).since == since
        assert (await box.get(evaluation.id)).state is State.SCORING
