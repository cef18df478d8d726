"""What a driver in a sandbox says and reports, for everything that it may say."""

from __future__ import annotations

import json
import math
import time
from dataclasses import asdict
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalbox.domain.attempt import Verdict
from evalbox.domain.outcome import Outcome
from evalbox.domain.report import TaskReport
from evalbox.domain.score import Score, ScoreKind
from evalbox.tasks.judging import MAX_REPORT
from evalbox.tasks.narration import Narration
from evalbox.tasks.standard.judge import StandardJudge
from evalbox.tasks.standard.report import MAX_SCORES, NoReport, read_report
from evalbox.wire.moments import iso

JUDGE = StandardJudge()
_scalars = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5)
    | st.sampled_from(["number", "manual", "invalid", "ok", "timeout", "\ud800", 10**400])
)  # fmt: skip
_keys = st.sampled_from(
    ["kind", "value", "raw", "reason", "score", "message", "details", "name", "began", "ended",
     "limit", "error", "ran", "status", "created_at", "scored_at", "elapsed_seconds"]
)  # fmt: skip
_json = st.recursive(
    _scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_keys, inner, max_size=4),
    max_leaves=12,
)
_document = st.fixed_dictionaries(
    {"outcome": st.sampled_from(["ok", "timeout", "task_error"]) | _json},
    optional=dict.fromkeys(
        (
            "reason",
            "phases",
            "score",
            "intermediate",
            "agent",
            "submission",
            "version",
            "instructions",
        ),
        _json,
    ),
)


@given(st.binary(max_size=300))
def test_whatever_the_report_is(content: bytes) -> None:
    try:
        _sound(read_report(content))
    except NoReport as error:
        assert str(error)  # noqa: PT017 - either is right


@given(_document, st.sampled_from(list(Outcome)), st.none() | st.integers(0, 255))
def test_whatever_stands_in_the_report(
    document: dict[str, Any], outcome: Outcome, code: int | None
) -> None:
    content = json.dumps(document).encode()
    try:
        _sound(read_report(content))
    except NoReport as error:
        assert str(error)  # noqa: PT017 - either is right
    for report in (content, b"", None):
        verdict = JUDGE.verdict(Verdict(outcome, code), report)
        if outcome not in (Outcome.OK, Outcome.FAILED):
            assert verdict.outcome is outcome
        if verdict.outcome is Outcome.OK:
            assert verdict.score is not None
            assert verdict.score.kind is not ScoreKind.INVALID
        if verdict.outcome in (Outcome.TASK_ERROR, Outcome.TIMEOUT) and verdict.score is not None:
            assert outcome not in (Outcome.OK, Outcome.FAILED) or (
                verdict.score.kind is ScoreKind.INVALID
            )


def _sound(report: TaskReport) -> None:
    # JSON, UTF-8 and the calendar can hold all of it.
    json.dumps(asdict(report), allow_nan=False).encode()
    for score in (report.score, *(one.score for one in report.intermediate)):
        if score is not None:
            _sound_score(score)
    for text in (report.reason, *(phase.name + phase.error for phase in report.phases)):
        assert "\n" not in text
        text.encode()
    for phase in report.phases:
        for at in (phase.began, phase.ended):
            assert at is None or iso(at)
    assert report.status is None or 0 <= report.status <= 255


def _sound_score(score: Score) -> None:
    assert (score.value is not None) == (score.kind is ScoreKind.NUMBER)
    assert score.value is None or math.isfinite(score.value)
    assert score.reason or score.kind is not ScoreKind.INVALID
    (score.raw + score.reason).encode()


def _report(**changes: Any) -> bytes:
    document = {"outcome": "ok", "score": {"kind": "number", "value": 0.5, "raw": "0.5"}}
    return json.dumps(document | changes).encode()


@pytest.mark.parametrize(
    ("content", "code", "outcome", "kind", "reason"),
    [
        (_report(), 0, Outcome.OK, ScoreKind.NUMBER, ""),
        (_report(score={"kind": "manual"}), 0, Outcome.OK, ScoreKind.MANUAL, ""),
        (_report(score={"kind": "number", "value": 0}), 0, Outcome.OK, ScoreKind.NUMBER, ""),
        (_report(score=None), 0, Outcome.TASK_ERROR, ScoreKind.INVALID, "reports no score"),
        (_report(score={"kind": "number", "value": math.nan}), 0, Outcome.TASK_ERROR,
         ScoreKind.INVALID, "told no score"),
        (_report(score={"kind": "number", "value": True}), 0, Outcome.TASK_ERROR,
         ScoreKind.INVALID, "told no score"),
        (_report(), 1, Outcome.TASK_ERROR, None, "reports no error, and failed"),
        (_report(outcome="task_error", reason="start: start raised ValueError: x"), 1,
         Outcome.TASK_ERROR, None, "start: start raised ValueError: x"),
        (_report(outcome="task_error", reason="score: the score is not finite",
                 score={"kind": "invalid", "raw": "nan", "reason": "the score is not finite"}), 1,
         Outcome.TASK_ERROR, ScoreKind.INVALID, "score: the score is not finite"),
        (_report(outcome="timeout", reason="the agent took longer than 5 s"), 1,
         Outcome.TIMEOUT, None, "the agent took longer than 5 s"),
        (_report(outcome="infra_error"), 0, Outcome.TASK_ERROR, None, "tells no outcome"),
        (b"{", 0, Outcome.TASK_ERROR, None, "is no JSON"),
        (b"[]", 1, Outcome.TASK_ERROR, None, "is no object"),
        (b"[" * 100_000, 1, Outcome.TASK_ERROR, None, "is nested too deeply"),
        (None, 0, Outcome.TASK_ERROR, None, "left no report"),
        (None, 137, Outcome.TASK_ERROR, None, "left no report: exit status 137"),
    ],
)  # fmt: skip
def test_what_is_made_of_a_report(
    content: bytes | None, code: int, outcome: Outcome, kind: ScoreKind | None, reason: str
) -> None:
    given_ = Verdict(Outcome.OK, 0)
    if code:
        given_ = Verdict(Outcome.FAILED, code, reason=f"exit status {code}")
    verdict = JUDGE.verdict(given_, content)
    assert (verdict.outcome, verdict.exit_code) == (outcome, code)
    assert (verdict.score.kind if verdict.score else None) is kind
    assert reason in verdict.reason


def test_memory_that_ran_out_is_told_with_the_score_all_the_same() -> None:
    killed = Verdict(Outcome.OUT_OF_MEMORY, 0, reason="used more", oom_killed=True)
    verdict = JUDGE.verdict(killed, _report())
    assert (verdict.outcome, verdict.reason) == (Outcome.OUT_OF_MEMORY, "used more")
    assert verdict.score == Score(ScoreKind.NUMBER, 0.5, raw="0.5")
    assert JUDGE.verdict(killed, None) == killed


def test_large_reports_are_bounded_and_soon_read() -> None:
    entry = {"score": {"kind": "number", "value": 1}, "message": {"a": "b" * 300}}
    content = _report(intermediate=[entry] * 40_000)
    assert len(content) < MAX_REPORT
    began = time.process_time()
    report = read_report(content)
    assert time.process_time() - began < 3.0
    assert (len(report.intermediate), report.left_out) == (MAX_SCORES, 40_000 - MAX_SCORES)
    with pytest.raises(NoReport, match="is over 16 MiB"):
        read_report(b" " * (MAX_REPORT + 1))


def test_what_is_told_of_a_score_is_kept_as_it_is_up_to_a_bound() -> None:
    deep: Any = "end"
    for _ in range(100):
        deep = [deep]
    told = {"tests": 3, "rate": math.nan, "names": ["a", "\ud800"], "deep": deep}
    score = {"kind": "number", "value": 1}
    (one,) = read_report(_report(intermediate=[{"score": score, "message": told}])).intermediate
    assert one.message["tests"] == 3
    assert (one.message["rate"], one.message["names"]) == ("NaN", ["a", "?"])
    assert '"..."' in json.dumps(one.message)
    long = {"score": score, "details": {"a": ["x" * 1000] * 100}}
    (one,) = read_report(_report(intermediate=[long])).intermediate
    assert one.details == {"left out": "it is too long to be kept"}


# --- phases ---


@st.composite
def _cut(draw: st.DrawFn, data: bytes) -> list[bytes]:
    cuts = draw(st.lists(st.integers(0, len(data)), max_size=12))
    ends = sorted({0, *cuts, len(data)})
    return [data[a:b] for a, b in pairwise(ends)]


_lines = st.lists(
    st.sampled_from(
        [b"==> setup\n", b"==> start\n", b"==> agent\n", b"==> score\n", b"==> teardown\n",
         b"==> nonsense\n", b" ==> score\n", b"==> setup \n", b"evalbox: ==> agent\n", b"\n",
         b"x" * 70 + b"==> start\n", b"==> setup\r\n", b"==> \xff\n", b"==> agent"]
    )
    | st.binary(max_size=100),
    max_size=12,
)  # fmt: skip


def _truth(text: bytes) -> list[str]:
    known = {f"==> {phase}".encode(): phase for phase in JUDGE.phases}
    complete = text.split(b"\n")[:-1]
    return list(dict.fromkeys(known[line] for line in complete if line in known))


@given(_lines.map(b"".join), st.data())
def test_phases_are_told_once_however_the_stream_is_cut(text: bytes, data: st.DataObject) -> None:
    narration = Narration(JUDGE.phases)
    told = [phase for piece in data.draw(_cut(text)) for phase in narration.feed(piece)]
    assert told == _truth(text)


@given(_lines.map(b"".join), st.data())
def test_another_process_goes_on_where_the_first_was_killed(
    text: bytes, data: st.DataObject
) -> None:
    at = data.draw(st.integers(0, len(text)))
    first = Narration(JUDGE.phases)
    begun = first.feed(text[:at])
    # What was told of may go beyond what was kept of the stream.
    kept = data.draw(st.integers(0, at))
    second = Narration(JUDGE.phases, begun, text[:kept][-65:])
    assert begun + second.feed(text[kept:]) == _truth(text)
