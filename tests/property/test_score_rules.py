"""Scores and rates, for every value that they may meet."""

from __future__ import annotations

import json
import math
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalbox.domain.complaint import MAX_LINE, complaint
from evalbox.domain.outcome import Outcome
from evalbox.domain.score import ScoreKind
from evalbox.domain.scoring import parse_score
from evalbox.domain.statistics import wilson

_numbers = st.floats(allow_nan=False, allow_infinity=False)
_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=8,
)


@given(_numbers)
def test_a_number_is_told_exactly(value: float) -> None:
    for content in (repr(value), json.dumps(value), json.dumps({"score": value})):
        score = parse_score(content.encode())
        assert (score.kind, score.value) == (ScoreKind.NUMBER, value)


@given(st.binary(max_size=200) | _json.map(lambda value: json.dumps(value).encode()))
def test_whatever_is_there_makes_a_score(content: bytes) -> None:
    _sound(content)


@given(_json, _json, _json)
def test_whatever_stands_in_the_object(value: object, checks: object, message: object) -> None:
    document = {"score": value, "checks": checks, "message": message}
    _sound(json.dumps(document).encode())
    known = json.dumps({"score": 0, "checks": {"one": checks}})
    _sound(known.encode())


def _sound(content: bytes) -> None:
    score = parse_score(content)
    assert (score.value is not None) == (score.kind is ScoreKind.NUMBER)
    assert score.value is None or math.isfinite(score.value)
    assert score.reason or score.kind is not ScoreKind.INVALID
    for check in score.checks:
        assert check.value is None or math.isfinite(check.value)
    for text in (score.raw, score.reason, *(check.name for check in score.checks)):
        text.encode()


@given(st.integers(0, 10_000), st.integers(0, 10_000), st.floats(0.1, 5))
def test_wilson_holds_the_rate(passed: int, failed: int, z: float) -> None:
    total = passed + failed
    low, high = wilson(passed, total, z)
    assert 0 <= low <= high <= 1
    if total:
        assert low <= passed / total <= high
        assert (low == 0) == (passed == 0)
        assert (high == 1) == (failed == 0)
        # The other way round it is the mirror image, and of more trials narrower.
        other_low, other_high = wilson(failed, total, z)
        assert math.isclose(low, 1 - other_high, abs_tol=1e-9)
        assert math.isclose(high, 1 - other_low, abs_tol=1e-9)
        wider = high - low
        low, high = wilson(10 * passed, 10 * total, z)
        assert high - low <= wider


@pytest.mark.parametrize(
    "line",
    [
        "thread  panicked at ", "\x1b]", "\x1b[", "\x1b", "E ", "Error", "a", "a ", "|", "\n",
        "a\n", "error:0 errors ", "Traceback (most recent call last):\n", "\r", "no errors",
        "\u202e",
    ],
)  # fmt: skip
def test_a_complaint_is_found_soon(line: str) -> None:
    size = 64 << 10
    content = (line * (size // len(line))).encode()
    began = time.process_time()
    complaint(Outcome.FAILED, [content, content])
    assert time.process_time() - began < 2.0


@given(st.sampled_from(Outcome), st.lists(st.binary(max_size=400), max_size=2))
def test_a_complaint_is_inert_and_short(outcome: Outcome, pieces: list[bytes]) -> None:
    line = complaint(outcome, pieces)
    assert len(line) <= MAX_LINE
    assert not any(ord(character) < 0x20 or 0x7F <= ord(character) < 0xA0 for character in line)
