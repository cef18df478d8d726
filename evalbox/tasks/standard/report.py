"""Reads what the driver reports. It was written in the sandbox: nothing in it is taken on trust."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

from evalbox.domain.inert import inert_line
from evalbox.domain.limits import MIB
from evalbox.domain.outcome import Outcome
from evalbox.domain.report import IntermediateScore, PhaseReport, TaskReport
from evalbox.domain.score import Score, ScoreKind
from evalbox.domain.scoring import MAX_NAME, MAX_RAW, MAX_WORDS, invalid
from evalbox.tasks.judging import MAX_REPORT

#: Intermediate scores and phases that are kept.
MAX_SCORES, MAX_PHASES = 10_000, 100
#: Characters of the instructions.
MAX_INSTRUCTIONS = 32 << 10
#: Of a message and of details: levels of nesting, entries of one level, characters as JSON.
_DEPTH, _ENTRIES, _LONGEST = 12, 1000, 16 << 10
_TOO_LONG = {"left out": "it is too long to be kept"}
#: Digits beyond which a whole number is read as one that is not exact.
_DIGITS = 18
#: Seconds since 1970 that a clock may show, which are those of the years that have four digits.
_LAST_MOMENT = 253_000_000_000.0
_OUTCOMES = {
    "ok": Outcome.OK,
    "timeout": Outcome.TIMEOUT,
    "task_error": Outcome.TASK_ERROR,
}


class NoReport(ValueError):
    """The text says why something is none."""


def read_report(content: bytes) -> TaskReport:
    """What can be understood of it; the rest is as if it were not there. Raises ``NoReport``."""
    document = _document(content)
    outcome = document.get("outcome")
    if not isinstance(outcome, str) or outcome not in _OUTCOMES:
        raise NoReport("tells no outcome")
    entries, agent = _list(document, "intermediate"), _mapping(document, "agent")
    return TaskReport(
        outcome=_OUTCOMES[outcome],
        reason=inert_line(_text(document, "reason", MAX_WORDS)),
        score=_score(document.get("score")),
        phases=tuple(_phase(one) for one in _list(document, "phases")[:MAX_PHASES]),
        intermediate=tuple(_between(one) for one in entries[:MAX_SCORES]),
        left_out=max(0, len(entries) - MAX_SCORES),
        worked=agent.get("ran") is True,
        status=_whole(agent.get("status"), 255),
        submission=_whole(document.get("submission"), 1 << 60),
        agent=inert_line(_text(agent, "kind", MAX_NAME)),
        instructions=_text(document, "instructions", MAX_INSTRUCTIONS),
    )


def _document(content: bytes) -> dict[str, Any]:
    if len(content) > MAX_REPORT:
        raise NoReport(f"is over {MAX_REPORT // MIB} MiB")
    try:
        document = json.loads(content, parse_int=_number, parse_constant=str)
    except RecursionError:
        raise NoReport("is nested too deeply") from None
    except ValueError:
        raise NoReport("is no JSON") from None
    if not isinstance(document, dict):
        raise NoReport("is no object")
    return document


def _number(digits: str) -> int | float:
    return int(digits) if len(digits) <= _DIGITS else float(digits)


def _score(given: Any) -> Score | None:
    """What is no score is an invalid one; None where there was none."""
    if given is None:
        return None
    if not isinstance(given, dict):
        return invalid("the driver told no score")
    reason, raw = inert_line(_text(given, "reason", MAX_WORDS)), _text(given, "raw", MAX_RAW)
    match given.get("kind"), _finite(given.get("value")):
        case "number", float(value):
            return Score(ScoreKind.NUMBER, value, reason, raw)
        case "manual", _:
            return Score(ScoreKind.MANUAL, reason=reason, raw=raw)
        case "invalid", _:
            return invalid(reason or "the score is none", raw)
    return invalid("the driver told no score", raw)


def _phase(given: Any) -> PhaseReport:
    phase = given if isinstance(given, dict) else {}
    return PhaseReport(
        name=inert_line(_text(phase, "name", MAX_NAME)),
        began=_seconds(phase.get("began")),
        ended=_seconds(phase.get("ended")),
        limit=_seconds(phase.get("limit")),
        error=inert_line(_text(phase, "error", MAX_WORDS)),
    )


def _between(given: Any) -> IntermediateScore:
    entry = given if isinstance(given, dict) else {}
    return IntermediateScore(
        score=_score(entry.get("score")) or invalid("the driver told no score"),
        created_at=_seconds(entry.get("created_at")),
        scored_at=_seconds(entry.get("scored_at")),
        elapsed=_seconds(entry.get("elapsed_seconds")),
        message=_told(entry, "message"),
        details=_told(entry, "details"),
    )


def _told(entry: Mapping[str, Any], key: str) -> dict[str, Any]:
    kept: dict[str, Any] = _bounded(_mapping(entry, key), _DEPTH)
    return kept if len(json.dumps(kept)) <= _LONGEST else _TOO_LONG


def _bounded(value: Any, depth: int) -> Any:
    """What JSON and UTF-8 can hold, to a certain depth and width."""
    match value:
        case str():
            return _clean(value[:_LONGEST])
        case float() if not math.isfinite(value):
            return str(value)
        case dict() | list() if not depth:
            return "..."
        case dict():
            shown = list(value.items())[:_ENTRIES]
            return {_clean(key[:MAX_NAME]): _bounded(one, depth - 1) for key, one in shown}
        case list():
            return [_bounded(one, depth - 1) for one in value[:_ENTRIES]]
    return value


def _list(document: Mapping[str, Any], key: str) -> list[Any]:
    given = document.get(key)
    return given if isinstance(given, list) else []


def _mapping(document: Mapping[str, Any], key: str) -> dict[str, Any]:
    given = document.get(key)
    return given if isinstance(given, dict) else {}


def _text(document: Mapping[str, Any], key: str, most: int) -> str:
    given = document.get(key)
    return _clean(given[:most]) if isinstance(given, str) else ""


def _clean(text: str) -> str:
    return text.encode(errors="replace").decode()


def _finite(given: Any) -> float | None:
    if isinstance(given, bool) or not isinstance(given, int | float) or not math.isfinite(given):
        return None
    return float(given)


def _seconds(given: Any) -> float | None:
    value = _finite(given)
    return value if value is not None and 0 <= value <= _LAST_MOMENT else None


def _whole(given: Any, most: int) -> int | None:
    if isinstance(given, bool) or not isinstance(given, int):
        return None
    return given if 0 <= given <= most else None
