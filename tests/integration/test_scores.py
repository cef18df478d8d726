"""Scores and error lines of real runs, on the fake engine, as processes and in gVisor."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path

import pytest
from docker_support import BASE, bench
from recovery_support import opened, reaches, run, settings_in, spec

from evalbox.config.settings import Settings
from evalbox.domain.attempt import Verdict
from evalbox.domain.evaluation import EvaluationSpec
from evalbox.domain.limits import KIB, MIB, Limits
from evalbox.domain.outcome import Outcome
from evalbox.domain.records import EvaluationFilter
from evalbox.domain.retry import RetryPolicy
from evalbox.domain.score import Score, ScoreCheck, ScoreKind
from evalbox.domain.state import State
from evalbox.engines.fake import FakeEngine
from evalbox.service.local import LocalBox

pytestmark = pytest.mark.timeout(120)


class Runner:
    """A box on an engine that runs shells."""

    def __init__(self, box: LocalBox, engine: str) -> None:
        self.box = box
        self.engine = engine

    async def verdict(self, script: str, **changes: object) -> Verdict:
        wanted = EvaluationSpec(
            name="x",
            command=("/bin/sh", "-c", script),
            image=BASE,
            engine=self.engine,
            score="score.json",
        )
        ended = await run(self.box, replace(wanted, **changes))  # type: ignore[arg-type]
        (attempt,) = await self.box.attempts(ended.id)
        verdict = attempt.verdict
        assert verdict is not None
        assert (ended.outcome, ended.error) == (verdict.outcome, verdict.error)
        assert ended.score == (verdict.score.summary if verdict.score else None)
        return verdict


@pytest.fixture(params=["process", pytest.param("gvisor", marks=pytest.mark.gvisor)])
async def runner(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Runner]:
    settings = replace(settings_in(tmp_path / "box"), engine=request.param, image=BASE)
    async with AsyncExitStack() as stack:
        if request.param == "gvisor":
            await stack.enter_async_context(bench("gvisor"))
        box = await LocalBox.open(settings, work=True)
        stack.push_async_callback(box.close, drain=0)
        yield Runner(box, request.param)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return settings_in(tmp_path / "box")


@pytest.fixture
async def box(settings: Settings) -> AsyncIterator[LocalBox]:
    engine = FakeEngine()
    async with opened(settings, engine) as made:
        yield made
    await engine.close()


def invalid(reason: str, raw: str = "") -> Score:
    return Score(ScoreKind.INVALID, reason=reason, raw=raw)


async def test_a_score_with_checks(runner: Runner) -> None:
    content = '{"score": 0.5, "message": "half", "checks": {"a": true, "b": 2}}'
    verdict = await runner.verdict(f"echo '{content}' >score.json; mkdir out; echo >out/score.json",
                                   artifacts=("out",))  # fmt: skip
    assert verdict.outcome is Outcome.OK
    assert verdict.score == Score(
        ScoreKind.NUMBER, 0.5, "half", content + "\n",
        (ScoreCheck("a", passed=True), ScoreCheck("b", value=2.0)),
    )  # fmt: skip
    (ended,) = await runner.box.list(EvaluationFilter(), limit=1)
    assert [one.path for one in await runner.box.artifacts(ended.id)] == ["out/score.json"]
    kinds = [event.kind async for event in runner.box.events(evaluation_id=ended.id)]
    assert kinds[-2:] == ["evaluation.scoring", "evaluation.completed"]


async def test_a_score_that_is_an_artifact_too(runner: Runner) -> None:
    verdict = await runner.verdict("echo 3 >score.json", artifacts=("score.json",))
    assert verdict.score == Score(ScoreKind.NUMBER, 3.0, raw="3\n")
    (ended,) = await runner.box.list(EvaluationFilter(), limit=1)
    assert [one.path for one in await runner.box.artifacts(ended.id)] == ["score.json"]


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        ("true", "no file score.json"),
        ("ln -s /etc/hostname score.json", "score.json is a symbolic link"),
        ("echo 1 >real; ln -s real score.json", "score.json is a symbolic link"),
        ("ln -s /etc out; ln -s out/hostname score.json", "score.json is a symbolic link"),
        ("mkdir score.json; echo 1 >score.json/score.json", "score.json is a directory"),
        ("mkdir score.json; ln -s / score.json/x", "score.json is a directory"),
    ],
)
async def test_what_is_no_score_file(runner: Runner, script: str, reason: str) -> None:
    verdict = await runner.verdict(script)
    assert (verdict.outcome, verdict.score) == (Outcome.OK, invalid(reason))
    (ended,) = await runner.box.list(EvaluationFilter(), limit=1)
    assert await runner.box.artifacts(ended.id) == []


async def test_a_fifo_holds_nobody_up(runner: Runner) -> None:
    verdict = await runner.verdict("mkfifo score.json")
    assert verdict.outcome is Outcome.OK
    assert verdict.score in (
        invalid("score.json is a named pipe"), invalid("no file score.json"),
    )  # fmt: skip


async def test_a_huge_file_is_no_score(runner: Runner) -> None:
    script = f"head -c {8 * MIB} /dev/zero | tr '\\0' 1 >score.json; echo kept >other"
    verdict = await runner.verdict(script, artifacts=("other",))
    assert verdict.score is not None
    assert verdict.score.reason == f"the score file is over {64.0} KiB"
    assert verdict.score.raw == "1" * 4096
    (ended,) = await runner.box.list(EvaluationFilter(), limit=1)
    assert [one.path for one in await runner.box.artifacts(ended.id)] == ["other"]


async def test_artifacts_beyond_their_limit_keep_no_score_out(runner: Runner) -> None:
    verdict = await runner.verdict(
        f"echo 1 >score.json; head -c {MIB} /dev/zero >big", artifacts=("big",),
        limits=Limits(artifacts=4 * KIB),
    )  # fmt: skip
    assert verdict.score == Score(ScoreKind.NUMBER, 1.0, raw="1\n")


async def test_failing_and_scored(runner: Runner) -> None:
    verdict = await runner.verdict("echo 0 >score.json; echo 'fatal: x' >&2; exit 3")
    assert (verdict.outcome, verdict.error) == (Outcome.FAILED, "fatal: x")
    assert verdict.score == Score(ScoreKind.NUMBER, 0.0, raw="0\n")


async def test_failing_without_a_score(runner: Runner) -> None:
    verdict = await runner.verdict("printf '\\033[31mjust\\033[0m so' >&2; kill -9 $$")
    assert (verdict.outcome, verdict.error, verdict.score) == (Outcome.KILLED, "just so", None)


async def test_stopped_before_it_was_read(runner: Runner) -> None:
    limits = Limits(timeout=1.0)
    verdict = await runner.verdict("echo 1 >score.json; sleep 60", limits=limits)
    assert (verdict.outcome, verdict.error, verdict.score) == (Outcome.TIMEOUT, "", None)


async def test_an_absolute_path(box: LocalBox) -> None:
    ended = await run(box, spec("artifact", "/tmp/s", "-2", score="/tmp/s"))
    assert ended.score == Score(ScoreKind.NUMBER, -2.0)


async def test_every_attempt_has_its_own(box: LocalBox) -> None:
    wanted = spec(
        "artifact", "score.json", "null", ";", "error", "Error: no", ";", "flaky", "1",
        score="score.json", retry=RetryPolicy(retries=1, base=0.0, cap=0.0),
    )  # fmt: skip
    ended = await run(box, wanted)
    manual = Score(ScoreKind.MANUAL, raw="null")
    assert [one.verdict for one in await box.attempts(ended.id)] == [
        Verdict(Outcome.FAILED, 1, reason="exit status 1", error="Error: no", score=manual),
        Verdict(Outcome.OK, 0, score=manual),
    ]
    assert (ended.state, ended.score, ended.error) == (State.COMPLETED, manual.summary, "")


async def test_infra_errors_have_neither(box: LocalBox) -> None:
    policy = RetryPolicy(infra_retries=0)
    ended = await run(box, spec("infra", score="score.json", retry=policy))
    assert (ended.state, ended.score, ended.error) == (State.DEAD, None, "")


async def test_the_line_is_found_at_both_ends_of_much_output(box: LocalBox) -> None:
    much = "x" * 70_000
    ended = await run(
        box, spec("error", "fatal: first", ";", "print", "300000", ";", "error", much, ";", "exit",
                  "1"),
    )  # fmt: skip
    assert ended.error == "fatal: first"
    ended = await run(
        box, spec("error", much, ";", "print", "300000", ";", "error", "\nthe end", ";", "exit",
                  "1"),
    )  # fmt: skip
    assert ended.error == "the end"


async def test_standard_output_where_nothing_else_was_said(box: LocalBox) -> None:
    ended = await run(box, spec("echo", "2 of 3 right", ";", "exit", "1"))
    assert ended.error == "2 of 3 right"


async def test_figures_of_a_batch(box: LocalBox) -> None:
    made = await box.submit(
        [
            spec("artifact", "s", "1", score="s", batch="b"),
            spec("artifact", "s", "2", score="s", batch="b"),
            spec("true", score="s", batch="b"),
            spec("exit", "1", batch="b"),
        ]
    )
    for one in made:
        await box.wait(one.id)
    batch = await box.batch("b")
    assert (batch.scored, batch.mean_score, batch.unsettled) == (2, 1.5, 1)
    assert (batch.passed, batch.judged, batch.attempts, batch.recent) == (2, 3, 4, 4)
    assert batch.started_at is not None
    assert batch.finished_at is not None
    assert batch.started_at <= batch.finished_at


async def test_an_adopted_attempt_is_scored(settings: Settings) -> None:
    engine = FakeEngine()
    async with opened(settings, engine) as first:
        (made,) = await first.submit(
            [spec("sleep", "0.5", ";", "artifact", "score.json", "4", score="score.json")]
        )
        await reaches(first, made.id, State.RUNNING)
    async with opened(settings, engine) as second:
        ended = await second.wait(made.id)
    await engine.close()
    assert (ended.attempts, ended.score) == (1, Score(ScoreKind.NUMBER, 4.0))
