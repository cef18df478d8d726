"""What a score file says, and what is none."""

from __future__ import annotations

import json

import pytest

from evalbox.domain.score import Score, ScoreCheck, ScoreKind
from evalbox.domain.scoring import (
    MAX_CHECKS,
    MAX_NAME,
    MAX_RAW,
    MAX_SCORE_FILE,
    MAX_WORDS,
    missing,
    parse_score,
)


@pytest.mark.parametrize(
    ("content", "value"),
    [
        ("1", 1.0), ("0", 0.0), ("-3", -3.0), ("0.75\n", 0.75), (" 1e3 ", 1000.0), ("+.5", 0.5),
        ("2.", 2.0), ("\ufeff0.5", 0.5), ('{"score": 7}', 7.0), ('{"score": -1e-9}', -1e-9),
        ('{"score": 0, "more": {"is": ["ignored"]}}', 0.0), ("1" * 300, float("1" * 300)),
    ],
)  # fmt: skip
def test_numbers(content: str, value: float) -> None:
    score = parse_score(content.encode())
    assert (score.kind, score.value, score.reason) == (ScoreKind.NUMBER, value, "")
    assert score.raw == content


@pytest.mark.parametrize("content", ["null", '{"score": null}', '{"score": null, "checks": {}}'])
def test_left_to_a_person(content: str) -> None:
    score = parse_score(content.encode())
    assert score == Score(ScoreKind.MANUAL, raw=content)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("", "is empty"),
        (" \n", "is empty"),
        ("NaN", "holds NaN, which is no number"),
        ('{"score": -Infinity}', "holds -Infinity, which is no number"),
        ("nan", "is neither a number nor JSON"),
        ("1_000", "is neither a number nor JSON"),
        ("٣", "is neither a number nor JSON"),
        ("0.5 of 1", "is neither a number nor JSON"),
        ("{", "is neither a number nor JSON"),
        ("1e999", "has a number for the score that is too large"),
        ('{"score": ' + "9" * 5000 + "}", "has a number for the score that is too large"),
        ("true", "has true for the score, not a number"),
        ('{"score": false}', "has false for the score, not a number"),
        ('"1"', "has text for the score, not a number"),
        ("[1]", "has a list for the score, not a number"),
        ('{"score": {}}', "has an object for the score, not a number"),
        ("{}", "has no score in it"),
        ('{"value": 1}', "has no score in it"),
        ('{"score": 1, "score": 0}', "says 'score' twice"),
        ('{"score": 1, "checks": {"a": true, "a": false}}', "says 'a' twice"),
        ('{"score": 1, "checks": "all"}', "has text for checks"),
        ('{"score": 1, "checks": [true]}', "has a check without a name"),
        ('{"score": 1, "checks": [{"name": 3}]}', "has a check without a name"),
        ('{"score": 1, "checks": {"a": "yes"}}', "has text for the check 'a', not true, false,"),
        ('{"score": 1, "checks": {"a": null}}', "has null for the check 'a', not true, false,"),
        ('{"score": 1, "checks": {"a": NaN}}', "holds NaN, which is no number"),
        (
            '{"score": 1, "checks": {"a": {"passed": 1}}}',
            "has a number for whether the check 'a' passed",
        ),
        (
            '{"score": 1, "checks": {"a": {"value": true}}}',
            "has true for the check 'a', not a number",
        ),
        (
            '{"score": 1, "checks": {"a": {"detail": 1}}}',
            "has a number for the detail of the check",
        ),
        ('{"score": 1, "message": []}', "has a list for the message, not text"),
        ("[" * 60_000, "is nested too deeply"),
        (" " * MAX_SCORE_FILE + "1", "is over 64.0 KiB"),
    ],
)
def test_invalid(content: str, reason: str) -> None:
    score = parse_score(content.encode())
    assert score.kind is ScoreKind.INVALID
    assert score.value is None
    assert score.reason.startswith(f"the score file {reason}")
    assert score.raw == content[:MAX_RAW]


def test_not_utf8() -> None:
    score = parse_score(b"0.5\xff")
    assert (score.kind, score.reason) == (ScoreKind.INVALID, "the score file is not UTF-8")
    assert score.raw == "0.5\ufffd"


def test_checks_as_an_object() -> None:
    content = """{"score": 0.5, "message": "half of it", "checks": {
      "compiles": true, "speed": 1.5, "style": {"passed": false, "value": 0, "detail": "tabs"},
      "unknown": {}}}"""
    score = parse_score(content.encode())
    assert (score.value, score.reason) == (0.5, "half of it")
    assert score.checks == (
        ScoreCheck("compiles", passed=True),
        ScoreCheck("speed", value=1.5),
        ScoreCheck("style", passed=False, value=0.0, detail="tabs"),
        ScoreCheck("unknown"),
    )


def test_checks_as_a_list() -> None:
    score = parse_score(b'{"score": 1, "checks": [{"name": "a", "passed": true}, {"name": "a"}]}')
    assert score.checks == (ScoreCheck("a", passed=True), ScoreCheck("a"))


def test_words_are_bounded_and_can_be_written() -> None:
    checks = {"\ud800" + "n" * 1000: {"detail": "d" * 1000}}
    content = json.dumps({"score": 1, "message": "m" * 1000, "checks": checks})
    score = parse_score(content.encode())
    (check,) = score.checks
    assert (len(score.reason), len(check.name), len(check.detail)) == (
        MAX_WORDS, MAX_NAME, MAX_WORDS,
    )  # fmt: skip
    assert check.name.startswith("?n")
    many = ",".join(f'"{number}": true' for number in range(MAX_CHECKS + 1))
    assert parse_score(b'{"score": 1, "checks": {%s}}' % many.encode()).kind is ScoreKind.INVALID


def test_missing_and_summary() -> None:
    assert missing("score.json") == Score(ScoreKind.INVALID, reason="no file score.json")
    score = parse_score(b'{"score": 1, "message": "m", "checks": {"a": true}}')
    assert score.summary == Score(ScoreKind.NUMBER, 1.0, "m")
