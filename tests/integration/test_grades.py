"""Scores that people give, and reports of tasks, whichever way the box is reached."""

from __future__ import annotations

import asyncio
import json
import math
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from api_support import WAYS, Reached, reached, served
from recovery_support import spec

from evalbox.domain.access import Scope
from evalbox.domain.evaluation import Evaluation, EvaluationSpec
from evalbox.domain.outcome import Outcome
from evalbox.domain.records import EvaluationFilter
from evalbox.domain.report import IntermediateScore, PhaseReport, TaskReport
from evalbox.domain.retry import RetryPolicy
from evalbox.domain.score import Score, ScoreCheck, ScoreKind
from evalbox.domain.state import State
from evalbox.errors import EvaluationNotFound, InvalidInput, InvalidTransition
from evalbox.service.box import Box
from evalbox.tasks.standard.planning import REPORT

pytestmark = pytest.mark.timeout(120)


@pytest.fixture(params=WAYS, name="reached")
async def _reached(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Reached]:
    async with reached(request.param, tmp_path) as found:
        yield found


def left(content: str, **changes: Any) -> EvaluationSpec:
    return spec("artifact", "score.json", content, score="score.json", **changes)


def task(**told: Any) -> EvaluationSpec:
    content = json.dumps({"outcome": "ok", "score": {"kind": "manual"}} | told)
    return spec("artifact", REPORT, content, kind="task-standard", artifacts=(REPORT,))


async def run(box: Box, wanted: EvaluationSpec) -> Evaluation:
    (made,) = await box.submit([wanted])
    async with asyncio.timeout(20):
        return await box.wait(made.id)


async def score_of(box: Box, evaluation: Evaluation) -> Score | None:
    verdict = (await box.attempts(evaluation.id))[-1].verdict
    return verdict.score if verdict else None


async def test_what_is_left_to_a_person_is_scored_by_one(reached: Reached) -> None:
    box = reached.box
    content = '{"score": null, "message": "look at it", "checks": {"a": true}}'
    found = await run(box, left(content))
    assert found.score == Score(ScoreKind.MANUAL, reason="look at it")
    scored = await box.set_score(found.id, -3, by=" ann ", note="not \x1b[31mgood\n")
    assert (scored.state, scored.outcome) == (State.COMPLETED, Outcome.OK)
    assert scored.score == Score(ScoreKind.NUMBER, -3.0, reason="not \x1b[31mgood")
    assert (await box.get(found.id)) == scored
    score = await score_of(box, found)
    assert score is not None
    assert (score.value, score.by, score.checks) == (-3.0, "ann", (ScoreCheck("a", passed=True),))
    assert score.raw == content
    assert score.at is not None
    # Another one takes its place; all that was said stays in the events.
    await box.set_score(found.id, 0.5, by="bob")
    told = [event.data async for event in box.events(evaluation_id=found.id)
            if event.kind == "evaluation.scored"]  # fmt: skip
    assert [one["by"] for one in told] == ["ann", "bob"]
    assert (told[0]["before"]["kind"], told[0]["before"]["reason"]) == ("manual", "look at it")
    assert (told[1]["before"]["value"], told[1]["before"]["by"]) == (-3.0, "ann")
    (first, second) = [one for one in await box.audit.list() if one.action == "evaluation.score"]
    assert (first.target, first.result, first.detail["value"]) == (found.id, "ok", -3)
    assert second.detail["by"] == "bob"


@pytest.mark.parametrize(
    ("value", "by", "note"),
    [
        (math.nan, "ann", ""), (math.inf, "ann", ""), (1.0, "", ""), (1.0, " ", ""),
        (1.0, "a\nb", ""), (1.0, "\x1b[31m", ""), (1.0, "a\u202eb", ""), (1.0, "a" * 101, ""),
        (1.0, "ann", "x" * 2001),
    ],
)  # fmt: skip
async def test_what_is_no_score_changes_nothing(
    reached: Reached, value: float, by: str, note: str
) -> None:
    box = reached.box
    found = await run(box, left("null"))
    with pytest.raises(InvalidInput):
        await box.set_score(found.id, value, by=by, note=note)
    assert await box.get(found.id) == found


async def test_only_what_came_to_its_end_by_itself_is_scored(reached: Reached) -> None:
    box = reached.box
    (waits,) = await box.submit([left("1", not_before=4e9)])
    with pytest.raises(InvalidTransition):
        await box.set_score(waits.id, 1, by="ann")
    await box.cancel([waits.id])
    with pytest.raises(InvalidTransition):
        await box.set_score(waits.id, 1, by="ann")
    dead = await run(box, spec("infra", retry=RetryPolicy(infra_retries=0)))
    with pytest.raises(InvalidTransition):
        await box.set_score(dead.id, 1, by="ann")
    with pytest.raises(EvaluationNotFound):
        await box.set_score("0" * 22, 1, by="ann")
    failed = await run(box, spec("false"))
    assert (await box.set_score(failed.id, 0, by="ann")).score == Score(ScoreKind.NUMBER, 0.0)


async def test_scored_ones_are_found_by_the_kind_of_their_score(reached: Reached) -> None:
    box = reached.box
    number, manual = await run(box, left("1")), await run(box, left("null", batch="b"))
    invalid, none = await run(box, left("nonsense")), await run(box, spec("true"))

    async def found(*kinds: ScoreKind, **more: Any) -> list[str]:
        query = EvaluationFilter(scores=frozenset(kinds), **more)
        return [one.id for one in await box.list(query)]

    assert await found(ScoreKind.MANUAL) == [manual.id]
    assert await found(ScoreKind.INVALID, ScoreKind.NUMBER) == [invalid.id, number.id]
    assert await found(ScoreKind.MANUAL, batch="b") == [manual.id]
    assert await found(ScoreKind.NUMBER, batch="b") == []
    assert none.id in await found()
    assert (await box.batch("b")).scored == 0
    await box.set_score(manual.id, 0.25, by="ann")
    assert await found(ScoreKind.MANUAL) == []
    batch = await box.batch("b")
    assert (batch.scored, batch.mean_score, batch.unsettled) == (1, 0.25, 0)


async def test_a_report_comes_back_as_the_driver_left_it(reached: Reached) -> None:
    box = reached.box
    phase = {"name": "start", "began": 1_700_000_000.5, "ended": 1_700_000_002.25, "limit": 600,
             "error": ""}  # fmt: skip
    between = {"score": {"kind": "number", "value": 0.5, "raw": "0.5"}, "elapsed_seconds": 3.5,
               "created_at": 1_700_000_001.0, "scored_at": 1_700_000_001.5,
               "message": {"passed": 3}, "details": {"secret": ["x"]}}  # fmt: skip
    found = await run(box, task(phases=[phase], intermediate=[between], submission=7,
                                agent={"status": 0, "ran": True}))  # fmt: skip
    assert found.score == Score(ScoreKind.MANUAL)
    assert await box.report(found.id) == TaskReport(
        Outcome.OK,
        score=Score(ScoreKind.MANUAL),
        phases=(PhaseReport("start", 1_700_000_000.5, 1_700_000_002.25, 600.0),),
        intermediate=(
            IntermediateScore(
                Score(ScoreKind.NUMBER, 0.5, raw="0.5"), 1_700_000_001.0, 1_700_000_001.5, 3.5,
                {"passed": 3}, {"secret": ["x"]},
            ),
        ),
        worked=True, status=0, submission=7,
    )  # fmt: skip
    assert await box.report(found.id, attempt=1) == await box.report(found.id)
    assert await box.report(found.id, attempt=2) is None
    assert await box.report((await run(box, spec("true"))).id) is None
    assert await box.report((await run(box, task(outcome="?"))).id) is None
    with pytest.raises(EvaluationNotFound):
        await box.report("0" * 22)


async def test_keys_that_only_read_score_nothing(tmp_path: Path) -> None:
    async with served(tmp_path, work=True) as service:
        async with service.owner() as owner:
            made = await owner.post("/evaluations", json={"command": ["true"], "image": "any"})
            identifier = made.json()["id"]
            await owner.get(f"/evaluations/{identifier}", params={"wait": 4})
        key = await service.key(Scope.READ)
        async with service.client(key) as client:
            body = {"value": 1, "by": "ann"}
            answer = await client.post(f"/evaluations/{identifier}/score", json=body)
            assert answer.status_code == 403
            report = await client.get(f"/evaluations/{identifier}/report")
            assert (report.status_code, report.json()) == (200, None)
        await _refused(service.owner(), identifier)


async def _refused(owner: httpx.AsyncClient, identifier: str) -> None:
    async with owner:
        for body in ({"value": "1", "by": "ann"}, {"value": 1}, {"value": True, "by": "ann"},
                     {"value": 1, "by": "ann", "x": 1}, {"by": "ann"}):  # fmt: skip
            answer = await owner.post(f"/evaluations/{identifier}/score", json=body)
            assert answer.status_code == 422, body
        answer = await owner.get("/evaluations", params={"score": "none"})
        assert answer.status_code == 422
