"""Whatever a sandbox printed and reported, it is a sample that Inspect reads."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from inspect_ai.log import EvalSample, EvalSampleSummary

from evalbox.domain.attempt import Attempt, Verdict
from evalbox.domain.evaluation import Evaluation, EvaluationSpec
from evalbox.domain.outcome import Outcome
from evalbox.domain.records import OutputPiece
from evalbox.domain.state import final_state
from evalbox.export.inspect_log.material import Material
from evalbox.export.inspect_log.sample import sample, summary
from evalbox.tasks.standard.judge import StandardJudge

JUDGE = StandardJudge()
_words = st.sampled_from(
    [
        b"==> start\n",
        b"==> agent\n",
        b"\n$ ls\n",
        b"\n$ score\n",
        b"==> score\n",
        b"$ ",
        b"\xff",
        b"\n",
    ]
)
_output = st.lists(st.tuples(st.sampled_from([1, 2]), _words | st.binary(max_size=20)), max_size=12)
_moment = st.none() | st.floats(-1e300, 1e300) | st.floats(1e9, 2e9)
_score = st.fixed_dictionaries(
    {"kind": st.sampled_from(["number", "manual", "invalid", 3])},
    optional={"value": st.none() | st.floats(), "raw": st.text(), "reason": st.text()},
)
_report = st.fixed_dictionaries(
    {
        "outcome": st.sampled_from(["ok", "timeout", "task_error"]),
        "score": st.none() | _score,
        "instructions": st.text(),
        "agent": st.fixed_dictionaries({"kind": st.sampled_from(["replay", "command", 1])}),
        "phases": st.lists(
            st.fixed_dictionaries(
                {
                    "name": st.sampled_from(["start", "agent"]) | st.text(max_size=5),
                    "began": _moment, "ended": _moment, "limit": _moment, "error": st.text(),
                }
            ),
            max_size=4,
        ),
        "intermediate": st.lists(
            st.fixed_dictionaries(
                {
                    "score": st.none() | _score, "scored_at": _moment,
                    "details": st.dictionaries(st.text(), st.floats() | st.text() | st.none()),
                }
            ),
            max_size=3,
        ),
    }
)  # fmt: skip


@given(
    st.sampled_from(["task-standard", "script"]), _report, _output, st.sampled_from(list(Outcome)),
    st.text() | st.none(), st.integers(0, 12), st.integers(0, 1 << 40),
)  # fmt: skip
def test_it_is_a_sample(
    kind: str, report: dict[str, Any], said: list[tuple[int, bytes]], outcome: Outcome,
    submission: str | None, gap: int, left_out: int,
) -> None:  # fmt: skip
    content = json.dumps(report).encode()
    verdict = JUDGE.verdict(Verdict(outcome, 1), content)
    spec = EvaluationSpec("family/x", ("driver", "x"), "image", kind=kind)
    item = Evaluation(
        "0" * 22, spec, final_state(verdict.outcome), 1e9, 1e9 + 5, outcome=verdict.outcome,
        reason=verdict.reason, score=verdict.score and verdict.score.summary, attempts=1,
        started_at=1e9, finished_at=1e9 + 5,
    )  # fmt: skip
    pieces = [OutputPiece(0, stream, 1e9, data) for stream, data in said]
    attempts = [Attempt(item.id, 1, 1e9, "fake", started_at=1e9, verdict=verdict)]
    material = Material(item, attempts, pieces, gap, left_out, JUDGE.read(content), submission)
    made = sample(material, "x", 1)
    read = EvalSample.model_validate_json(json.dumps(made))
    listed = EvalSampleSummary.model_validate_json(json.dumps(summary(made)))
    assert (read.id, listed.uuid) == ("x", item.id)
    assert [event.timestamp for event in read.events] == sorted(
        event.timestamp for event in read.events
    )
    ids = [one.id for one in read.messages]
    assert len(ids) == len(set(ids))
    calls = [one.tool_calls[0].id for one in read.messages if getattr(one, "tool_calls", None)]
    assert calls == [one.tool_call_id for one in read.messages if one.role == "tool"]
