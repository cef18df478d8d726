"""Logs of Inspect, read by Inspect's own reader, from a box on the fake engine."""

from __future__ import annotations

import asyncio
import io
import json
import math
import re
import statistics
import zipfile
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import inspect_ai.log as inspect_log
import pytest
from hypothesis import given
from hypothesis import strategies as st
from recovery_support import AT_ONCE, ended, opened, settings_in
from recovery_support import spec as bare

from evalbox import __version__
from evalbox.domain.attempt import Attempt, Verdict
from evalbox.domain.evaluation import Evaluation, EvaluationSpec
from evalbox.domain.limits import KIB, Limits
from evalbox.domain.outcome import Outcome
from evalbox.domain.records import EvaluationFilter
from evalbox.domain.report import TaskReport
from evalbox.domain.score import Score, ScoreKind
from evalbox.domain.state import State, final_state
from evalbox.engines.fake import FakeEngine
from evalbox.errors import EvaluationNotFound, InvalidInput
from evalbox.export import reading
from evalbox.export.formats import Format, form_of, render, write
from evalbox.export.inspect_log import logs
from evalbox.export.inspect_log.grouping import harmless
from evalbox.export.inspect_log.material import MOST_OUTPUT
from evalbox.service.local import LocalBox
from evalbox.tasks.standard.planning import REPORT, SUBMISSION

PHASES = ("setup", "start", "agent", "score", "teardown")


@pytest.fixture
async def box(tmp_path: Path) -> AsyncIterator[LocalBox]:
    async with opened(settings_in(tmp_path / "box"), FakeEngine()) as box:
        yield box


def spec(name: str, *command: str, **other: Any) -> EvaluationSpec:
    return bare(*(command or ("true",)), name=name, **other)


async def submitted(box: LocalBox, *specs: EvaluationSpec) -> list[Evaluation]:
    made = await box.submit(specs)
    return [await ended(box, item.id) for item in made]


def all_of(box: LocalBox) -> AsyncIterator[Evaluation]:
    return reading.matching(box, EvaluationFilter())


async def read(path: Path, **how: Any) -> Any:
    return await asyncio.to_thread(inspect_log.read_eval_log, str(path), **how)


async def exported(box: LocalBox, place: Path) -> list[Any]:
    """All logs, by the names of their files; each is the same in both forms."""
    await write(box, all_of(box), Format.INSPECT, place)
    found = [await read(path) for path in sorted(place.iterdir())]
    if len(found) == 1:
        # It keeps what it has read of a name.
        other = place.parent / f"{len(found[0].samples)} samples.json"
        await write(box, all_of(box), Format.INSPECT, other)
        same = await read(other)
        assert told(same) == told(found[0])
        for path in (other, *place.iterdir()):
            header = await read(path, header_only=True)
            header.samples, header.reductions = found[0].samples, found[0].reductions
            assert told(header) == told(found[0])
            read_summaries = inspect_log.read_eval_log_sample_summaries
            summaries = await asyncio.to_thread(read_summaries, str(path))
            assert {one.uuid for one in summaries} == {one.uuid for one in found[0].samples}
    return found


def told(log: Any) -> Any:
    return json.loads(log.model_dump_json(exclude={"location"}))


def family(task: str, report: dict[str, Any] | None, *said: str, **other: Any) -> EvaluationSpec:
    """Goes through the phases of a task's life; ``said`` is what the agent's prints."""
    words: list[str] = []
    for name in PHASES:
        words += ["error", f"==> {name}", ";", "echo", f"in {name}", ";"]
        if name == "agent":
            for line in said:
                words += ["echo", line, ";"]
    if report is not None:
        words += ["artifact", REPORT, json.dumps(report), ";"]
        words += ["artifact", SUBMISSION, "forty-two", ";"]
    other.setdefault("artifacts", (REPORT, SUBMISSION))
    return bare(*words, "echo", task, name=f"sums/{task}", kind="task-standard", **other)


def report(**changes: Any) -> dict[str, Any]:
    return {
        "outcome": "ok",
        "instructions": "Add all of it.",
        "score": {"kind": "number", "value": 0.25, "raw": "0.25"},
        "phases": [
            {"name": name, "began": 2e9 + place, "ended": 2e9 + place + 0.5, "limit": 60}
            for place, name in enumerate(PHASES)
        ],
        "intermediate": [
            {"score": {"kind": "number", "value": 0.125}, "scored_at": 2e9 + 2.25,
             "message": {"hint": "more"}},
        ],
        "agent": {"kind": "replay", "ran": True, "status": 0},
        "submission": 9,
        **changes,
    }  # fmt: skip


# --- what a log has ---


async def test_a_log_has_one_task_and_one_agent_of_one_batch(box: LocalBox, tmp_path: Path) -> None:
    await submitted(
        box,
        *[spec(name, batch="night", labels={"agent": agent, "epoch": str(epoch)})
          for name in ("one", "two") for agent in ("ann", "bob") for epoch in (1, 2)],
        family("small", report(), batch="night", labels={"agent": "ann"}),
        spec("alone"),
    )  # fmt: skip
    found = await exported(box, tmp_path / "logs")
    keys = {(log.eval.task, log.eval.solver, *(log.eval.tags or [])): log for log in found}
    assert sorted(keys) == [
        ("evalbox", "none"), ("night", "ann", "night"), ("night", "bob", "night"),
        ("sums", "ann", "night"),
    ]  # fmt: skip
    log = keys["night", "bob", "night"]
    assert (log.version, log.status, log.eval.model) == (2, "success", "none/none")
    assert [(one.id, one.epoch) for one in log.samples] == [
        ("one", 1), ("two", 1), ("one", 2), ("two", 2),
    ]  # fmt: skip
    assert log.eval.config.epochs == 2
    assert (log.eval.dataset.samples, log.eval.dataset.sample_ids) == (2, ["one", "two"])
    assert log.eval.packages == {"evalbox": __version__}
    assert (log.results.total_samples, log.results.completed_samples) == (4, 4)
    assert log.stats.started_at <= log.stats.completed_at


async def test_inspect_finds_and_reads_them(box: LocalBox, tmp_path: Path) -> None:
    await submitted(box, *[spec(f"case {n}", batch="night") for n in range(50)])
    (log,) = await exported(box, tmp_path / "logs")
    (listed,) = await asyncio.to_thread(inspect_log.list_eval_logs, str(tmp_path / "logs"))
    assert (listed.task, listed.task_id) == ("night", log.eval.eval_id)
    header = await asyncio.to_thread(inspect_log.read_eval_log, listed, header_only=True)
    assert (header.samples, header.results) == (None, log.results)
    summaries = await asyncio.to_thread(inspect_log.read_eval_log_sample_summaries, listed)
    assert {one.id for one in summaries} == {f"case {n}" for n in range(50)}
    assert all(one.completed and one.scores["outcome"].value == "C" for one in summaries)
    one = await asyncio.to_thread(inspect_log.read_eval_log_sample, listed, id="case 7")
    by_uuid = await asyncio.to_thread(inspect_log.read_eval_log_sample, listed, uuid=one.uuid)
    assert by_uuid.id == "case 7"
    # What Inspect would make of each sample is what stands in the list.
    for sample in log.samples:
        (summary,) = [one for one in summaries if one.id == sample.id]
        mine, its = summary.model_dump(), sample.summary().model_dump()
        for key in ("scores", "metadata"):
            mine.pop(key), its.pop(key)
        assert mine == its


async def test_a_script_is_its_command_and_what_it_printed(box: LocalBox, tmp_path: Path) -> None:
    await submitted(box, spec("one", "echo", "out", ";", "error", "\x1b[1merr", ";", "exit", "3"))
    (log,) = await exported(box, tmp_path / "logs")
    (sample,) = log.samples
    assert sample.input == "echo out ';' error '\x1b[1merr' ';' exit 3"
    assert [(one.role, one.text) for one in sample.messages] == [
        ("user", sample.input), ("assistant", "out\n\x1b[1merr\n"),
    ]  # fmt: skip
    assert sample.output.completion == "out\n\x1b[1merr\n"
    score = sample.scores["outcome"]
    assert (score.value, score.explanation) == ("I", "err")
    assert sample.error is None
    assert sample.metadata["exit_code"] == 3
    assert [event.event for event in sample.events] == ["sandbox", "score"]
    assert sample.uuid == sample.metadata["evaluation"]


async def test_a_replay_is_a_conversation(box: LocalBox, tmp_path: Path) -> None:
    said = ("\n$ ls", "a", "\n$ score", "0.125", "\n$ cat b", "$$ no step", "\n$ true")
    await submitted(box, family("small", report(), *said, labels={"agent": "ann"}))
    (log,) = await exported(box, tmp_path / "logs")
    (sample,) = log.samples
    assert (sample.id, sample.input) == ("small", "Add all of it.")
    roles = [(one.role, one.text) for one in sample.messages]
    assert roles == [
        ("user", "Add all of it."), ("assistant", "in agent\n"),
        ("assistant", ""), ("tool", "a\n"),
        ("assistant", ""), ("tool", "0.125\n"),
        ("assistant", ""), ("tool", "$$ no step\n"),
        ("assistant", ""), ("tool", ""),
        ("assistant", "forty-two"),
    ]  # fmt: skip
    calls = [one.tool_calls[0] for one in sample.messages if getattr(one, "tool_calls", None)]
    assert [(call.function, call.arguments) for call in calls] == [
        ("bash", {"cmd": "ls"}), ("score", {}), ("bash", {"cmd": "cat b"}),
        ("bash", {"cmd": "true"}),
    ]  # fmt: skip
    results = [one.tool_call_id for one in sample.messages if one.role == "tool"]
    assert results == [call.id for call in calls]
    assert sample.output.completion == "forty-two"
    score = sample.scores["score"]
    assert (score.value, score.answer) == (0.25, "forty-two")
    assert score.metadata == {"kind": "number", "raw": "0.25"}
    assert [one["name"] for one in sample.metadata["phases"]] == list(PHASES)


async def test_a_step_that_is_told_before_its_phase_is_of_it(box: LocalBox, tmp_path: Path) -> None:
    words = [
        "error",
        "==> start",
        ";",
        "echo",
        "started",
        ";",
        "echo",
        "\n$ ls",
        ";",
        "error",
        "==> agent",
        ";",
        "echo",
        "a",
        ";",
        "error",
        "==> score",
        ";",
        "echo",
        "b",
        ";",
        "artifact",
        REPORT,
        json.dumps(report(submission=None)),
        ";",
        "echo",
        "small",
    ]
    await submitted(box, bare(*words, name="x", kind="task-standard", artifacts=(REPORT,)))
    (log,) = await exported(box, tmp_path / "logs")
    (sample,) = log.samples
    assert [one.text for one in sample.messages] == ["Add all of it.", "", "a\n"]
    said = {one.span_id: one.data for one in sample.events if one.event == "info"}
    assert said == {"1-start": "started\n", "3-score": "b\nsmall\n"}


async def test_phases_and_scores_between_are_events(box: LocalBox, tmp_path: Path) -> None:
    await submitted(box, family("small", report()))
    (log,) = await exported(box, tmp_path / "logs")
    (sample,) = log.samples
    spans = [one for one in sample.events if one.event == "span_begin"]
    assert [one.name for one in spans] == list(PHASES)
    said = {one.span_id: one.data for one in sample.events if one.event == "info"}
    assert said["0-setup"] == "in setup\n"
    assert "2-agent" not in said
    (between,) = [one for one in sample.events if one.event == "score" and one.intermediate]
    assert (between.score.value, between.score.metadata["message"]) == (0.125, {"hint": "more"})
    kinds = [one.event for one in sample.events]
    assert kinds.count("span_end") == len(PHASES)


async def test_another_agent_of_a_family_is_no_replay(box: LocalBox, tmp_path: Path) -> None:
    agent = {"kind": "command", "ran": True, "status": 0}
    await submitted(box, family("small", report(agent=agent, submission=None), "$ forged"))
    (log,) = await exported(box, tmp_path / "logs")
    roles = [(one.role, one.text) for one in log.samples[0].messages]
    assert roles == [("user", "Add all of it."), ("assistant", "in agent\n$ forged\n")]


# --- scores, errors and limits ---


async def test_what_is_no_number_is_never_a_zero(box: LocalBox, tmp_path: Path) -> None:
    await submitted(
        box,
        family("good", report()),
        family("manual", report(score={"kind": "manual"})),
        family("broken", report(score={"kind": "invalid", "reason": "it is NaN"})),
        family("unfinished", None),
    )
    (log,) = await exported(box, tmp_path / "logs")
    samples = {one.id: one for one in log.samples}
    assert samples["good"].scores["outcome"].value == "C"
    manual = samples["manual"].scores["score"]
    assert math.isnan(manual.value)
    assert manual.reason == "manual"
    assert "outcome" not in samples["manual"].scores
    broken = samples["broken"]
    assert math.isnan(broken.scores["score"].value)
    assert broken.scores["score"].explanation == "it is NaN"
    assert broken.error is not None
    assert samples["unfinished"].error.message == "the task's driver left no report"
    score = log.results.scores[0]
    assert (score.name, score.scored_samples, score.unscored_samples) == ("score", 1, 2)
    assert score.metrics["mean"].value == 0.25


async def test_metrics_are_of_samples_not_of_epochs(box: LocalBox, tmp_path: Path) -> None:
    values = {"a": [0.0, 1.0], "b": [1.0], "c": [0.25, 0.5, 0.75]}
    await submitted(
        box,
        *[family(task, report(score={"kind": "number", "value": value}))
          for task, held in values.items() for value in held],
    )  # fmt: skip
    (log,) = await exported(box, tmp_path / "logs")
    means = [statistics.mean(held) for held in values.values()]
    metrics = log.results.scores[0].metrics
    assert metrics["mean"].value == pytest.approx(statistics.mean(means))
    error = statistics.stdev(means) / math.sqrt(len(means))
    assert metrics["stderr"].value == pytest.approx(error)
    reduced = {one.sample_id: one.value for one in log.reductions[0].samples}
    assert reduced == dict(zip(values, means, strict=True))
    assert log.eval.config.epochs == 3


async def test_errors_limits_and_retries(box: LocalBox, tmp_path: Path) -> None:
    await submitted(
        box,
        spec("late", "sleep", "inf", limits=Limits(timeout=0.2)),
        spec("large", "oom"),
        spec("lost", "infra"),
        spec("again", "exit", "3", retry=replace(AT_ONCE, retries=1)),
    )
    (log,) = await exported(box, tmp_path / "logs")
    samples = {one.id: one for one in log.samples}
    late, large = samples["late"], samples["large"]
    assert (late.limit.type, late.limit.limit, late.scores["outcome"].value) == ("time", 0.2, "I")
    assert (large.limit.type, large.limit.limit) == ("custom", Limits().memory)
    assert "memory" in large.limit.reason
    assert [one.event for one in late.events] == ["sandbox", "sample_limit", "score"]
    lost = samples["lost"]
    assert lost.scores == {}
    assert lost.error.message
    assert lost.events[-1].event == "error"
    again = samples["again"]
    assert [one.message for one in again.error_retries] == ["failed: exit status 3"]
    assert (log.status, log.results.completed_samples) == ("success", 3)


async def test_where_nothing_went_well_the_log_says_so(box: LocalBox, tmp_path: Path) -> None:
    await submitted(box, spec("lost", "infra"))
    (log,) = await exported(box, tmp_path / "logs")
    assert (log.status, log.error.message) == ("error", "each of 1 samples ended with an error")


async def test_what_has_not_ended_is_no_sample_yet(box: LocalBox, tmp_path: Path) -> None:
    await submitted(box, spec("done"))
    await box.pause()
    (waiting,) = await box.submit([spec("waits")])
    (log,) = await exported(box, tmp_path / "logs")
    assert (log.status, log.results.total_samples) == ("started", 2)
    assert [one.id for one in log.samples] == ["done"]
    await box.cancel([waiting.id])
    (log,) = await exported(box, tmp_path / "logs")
    assert (log.status, {one.id for one in log.samples}) == ("success", {"done", "waits"})
    assert log.stats.completed_at
    # It is the same log, written anew.
    assert len(list((tmp_path / "logs").iterdir())) == 1


async def test_the_later_of_the_same_epoch_stands_for_both(box: LocalBox, tmp_path: Path) -> None:
    again = {"agent": "ann", "epoch": "1"}
    await submitted(box, spec("one", "infra", labels=again), spec("one", labels=again))
    (log,) = await exported(box, tmp_path / "logs")
    assert [(one.id, one.epoch, one.error) for one in log.samples] == [("one", 1, None)]


# --- what jobs and users may have chosen ---

HOSTILE = [
    "../../etc/passwd",
    "/abs",
    "..",
    "a\\..\\b",
    "C:\\x",
    "\u202egnp.exe",
    "x" * 255,
    "\x1b[31mred",
    "con\n",
    "🦊/🦊",
    "a/b",
    "a-b",
    " ",
    "samples/a_epoch_1.json",
]


async def test_no_name_leads_out_of_the_archive(box: LocalBox, tmp_path: Path) -> None:
    await submitted(box, *[spec(name, batch="../../b_c") for name in HOSTILE])
    await write(box, all_of(box), Format.INSPECT, tmp_path / "logs")
    (path,) = (tmp_path / "logs").iterdir()
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
        names = [name for name in archive.namelist() if name.startswith("samples")]
    assert len(names) == len(set(names)) == len(HOSTILE)
    for name in names:
        assert re.fullmatch(r"samples/[^/\\:\x00-\x1f]+_epoch_1\.json", name)
    log = await read(path)
    assert len(log.samples) == len(HOSTILE)
    for sample in log.samples:
        found = await asyncio.to_thread(inspect_log.read_eval_log_sample, str(path), sample.id)
        assert found.uuid == sample.uuid


@given(st.text(), st.text())
def test_any_name_is_harmless_and_stays_itself(one: str, two: str) -> None:
    made = harmless(one)
    assert re.fullmatch(r"[\w.,=+@ \[\]-]{1,120}", made)
    assert not made.startswith((".", " "))
    assert not made.endswith((".", " "))
    assert (made == harmless(two)) == (one == two)


@pytest.mark.parametrize("size", [2 * MOST_OUTPUT, 2 * MOST_OUTPUT + 1, 10 * MOST_OUTPUT])
async def test_of_a_long_output_both_ends_are_told(
    box: LocalBox, tmp_path: Path, size: int
) -> None:
    said = ("echo", "a" * 9, ";", "print", str(size - 20), ";", "echo", "z" * 9)
    await submitted(box, spec("long", *said))
    (log,) = await exported(box, tmp_path / "logs")
    (sample,) = log.samples
    text = sample.messages[-1].text
    left_out = sample.metadata["output_left_out"]
    assert left_out == size - 2 * MOST_OUTPUT
    assert (f"\n[evalbox: {left_out:,} bytes left out]\n" in text) == bool(left_out)
    assert len(text) < 2 * MOST_OUTPUT + 100
    assert (text[:9], text[-10:]) == ("a" * 9, "z" * 9 + "\n")


async def test_without_output_nothing_of_it_is_read(box: LocalBox) -> None:
    await submitted(box, family("small", report()), spec("one", "echo", "secret"))
    for query in (EvaluationFilter(name="one"), EvaluationFilter(name="sums/*")):
        items = reading.matching(box, query)
        data = b"".join([data async for data in render(box, items, Format.INSPECT, output=False)])
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            told = b"".join(archive.read(name) for name in archive.namelist())
        assert b"forty-two" not in told.replace(b"artifact", b"").split(b'"messages"')[1]
        assert b"secret\\n" not in told


# --- where to ---


async def test_a_file_has_one_log(box: LocalBox, tmp_path: Path) -> None:
    place = tmp_path / "it.eval"
    assert form_of(place.name) is Format.INSPECT
    with pytest.raises(InvalidInput, match="nothing to export"):
        await write(box, all_of(box), Format.INSPECT, place)
    await submitted(box, spec("one"), spec("two", batch="b"))
    with pytest.raises(InvalidInput, match="these are 2 logs"):
        await write(box, all_of(box), Format.INSPECT, place)
    assert list(tmp_path.glob("it*")) == []
    items = reading.matching(box, EvaluationFilter(batch="b"))
    size = await write(box, items, Format.INSPECT, place)
    assert place.stat().st_size == size
    assert [one.id for one in (await read(place)).samples] == ["two"]


async def test_the_same_is_written_the_same(box: LocalBox, tmp_path: Path) -> None:
    await submitted(box, *[spec(f"case {n}") for n in range(45)])
    for name in ("one", "two"):
        await write(box, all_of(box), Format.INSPECT, tmp_path / f"{name}.eval")
    assert (tmp_path / "one.eval").read_bytes() == (tmp_path / "two.eval").read_bytes()


class _Many:
    """A box that has any number of evaluations, and one of them no more."""

    def __init__(self, number: int) -> None:
        self.items = {f"{n:022}": self._made(n) for n in range(number)}

    def _made(self, number: int) -> Evaluation:
        score = Score(ScoreKind.NUMBER, float(number % 2))
        made = EvaluationSpec(f"case {number}", ("x",), "image", batch="many")
        return Evaluation(
            f"{number:022}", made, final_state(Outcome.OK), 1.0, 2.0, outcome=Outcome.OK,
            attempts=1, score=score, started_at=1.0, finished_at=2.0,
        )  # fmt: skip

    async def all(self) -> AsyncIterator[Evaluation]:
        for item in reversed(self.items.values()):
            yield item

    async def get(self, evaluation_id: str) -> Evaluation:
        if evaluation_id == "0" * 22:
            raise EvaluationNotFound("it is gone")
        return self.items[evaluation_id]

    async def attempts(self, evaluation_id: str) -> list[Attempt]:
        verdict = Verdict(Outcome.OK, 0, score=self.items[evaluation_id].score)
        return [Attempt(evaluation_id, 1, 1.0, "fake", verdict=verdict, output_bytes=4 * KIB)]

    async def report(self, evaluation_id: str, *, attempt: int) -> TaskReport | None:
        return None

    async def output(self, evaluation_id: str, **_: Any) -> AsyncIterator[Any]:
        from evalbox.domain.records import OutputPiece

        yield OutputPiece(0, 1, 1.0, bytes(range(256)) * 16)


@pytest.mark.parametrize("suffix", [logs.ARCHIVE, logs.DOCUMENT])
async def test_many_come_in_small_pieces(tmp_path: Path, suffix: str) -> None:
    many: Any = _Many(1000)
    pieces = [data async for data in logs.render(many, many.all(), suffix=suffix)]
    assert max(map(len, pieces)) <= 1 << 20
    place = tmp_path / f"many{suffix}"
    place.write_bytes(b"".join(pieces))
    log = await read(place)
    # What was removed meanwhile is left out, and counted nowhere.
    assert (len(log.samples), log.results.total_samples) == (999, 999)
    assert log.results.scores[0].metrics["mean"].value == pytest.approx(500 / 999)
    assert {one.id for one in log.samples} == {f"case {n}" for n in range(1, 1000)}
    assert "\ufffd" in log.samples[0].messages[-1].text
    assert log.samples[0].metadata["state"] == State.COMPLETED
