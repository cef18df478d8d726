"""An evaluation as a sample of a log, and what a list tells of it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from evalbox.domain.attempt import Verdict
from evalbox.domain.evaluation import Evaluation
from evalbox.domain.limits import KIB
from evalbox.domain.outcome import Outcome
from evalbox.export.inspect_log.conversation import AGENT_PHASE, Message, asked, messages, said
from evalbox.export.inspect_log.events import events
from evalbox.export.inspect_log.material import Material
from evalbox.export.inspect_log.scores import scores
from evalbox.wire.moments import iso, iso_or_none

#: What says nothing of whoever worked on the task.
_ERRORS = frozenset({Outcome.TASK_ERROR, Outcome.INFRA_ERROR, Outcome.CANCELLED})
#: Characters of what a summary shows of anything.
_SHOWN = 1 * KIB
#: Fields of a sample that its summary has too, and of their scores.
_SUMMARY = ("id", "epoch", "target", "started_at", "completed_at", "total_time", "working_time",
            "uuid", "time_limit")  # fmt: skip
_SCORE_TEXTS = ("answer", "explanation", "reason")


def sample(material: Material, name: str, epoch: int) -> dict[str, Any]:
    """``name`` and ``epoch`` tell it from all others of its log."""
    item = material.item
    words = said(material)
    conversation = messages(material, words)
    seconds = round(material.ended - material.began, 3)
    made: dict[str, Any] = {
        "id": name,
        "epoch": epoch,
        "input": asked(material),
        "target": "",
        "sandbox": {"type": item.spec.engine},
        "files": [file.path for file in item.spec.inputs],
        "messages": conversation,
        "output": _output(material, conversation, seconds),
        "scores": scores(material),
        "metadata": _metadata(material),
        "store": {},
        "model_usage": {},
        "started_at": iso(material.began),
        "completed_at": iso(material.ended),
        "total_time": seconds,
        "working_time": seconds,
        "uuid": item.id,
        "error": _error(item),
        "error_retries": _retries(material),
        "attachments": {},
        "limit": _limit(material),
        "time_limit": math.ceil(item.spec.limits.timeout),
    }
    made["events"] = events(material, words, made)
    return made


def summary(made: Mapping[str, Any]) -> dict[str, Any]:
    limit, error = made["limit"], made["error"]
    return {
        **{key: made[key] for key in _SUMMARY},
        "input": made["input"][:_SHOWN],
        "metadata": {
            key: value
            for key, value in made["metadata"].items()
            if isinstance(value, str | int | float) and len(str(value)) <= _SHOWN
        },
        "scores": {name: _shortened(score) for name, score in made["scores"].items()},
        "model_usage": {},
        "error": error["message"] if error else None,
        "limit": limit["type"] if limit else None,
        "limit_reason": limit["reason"] if limit else None,
        "retries": len(made["error_retries"]),
        "completed": True,
        "message_count": len(made["messages"]),
    }


def _shortened(score: Mapping[str, Any]) -> dict[str, Any]:
    texts = {key: score[key][:_SHOWN] for key in _SCORE_TEXTS if score.get(key)}
    return {"value": score["value"], **texts}


def _output(material: Material, conversation: list[Message], seconds: float) -> dict[str, Any]:
    """What was submitted, or else the last that was said."""
    replies = [one for one in conversation[1:] if one["role"] == "assistant" and one["content"]]
    if not replies:
        return {"model": "none/none", "choices": [], "completion": "", "time": seconds}
    reply = replies[-1]
    return {
        "model": reply["model"],
        "choices": [{"message": reply, "stop_reason": "stop"}],
        "completion": reply["content"],
        "time": seconds,
    }


def _metadata(material: Material) -> dict[str, Any]:
    item, last, report = material.item, material.last, material.report
    spec = item.spec
    made: dict[str, Any] = {
        "evaluation": item.id,
        "name": spec.name,
        "state": item.state,
        "outcome": item.outcome,
        "reason": item.reason,
        "exit_code": item.exit_code,
        "attempts": item.attempts,
        "image": spec.image,
        "network": spec.network,
        "created_at": iso(item.created_at),
        "labels": dict(spec.labels),
        "limits": asdict(spec.limits),
    }
    if last is not None:
        made |= {
            "usage": asdict(last.usage),
            "output_bytes": last.output_bytes,
            "output_truncated": last.truncated,
            "output_left_out": material.left_out,
        }
    if report is not None:
        made["phases"] = [
            {**asdict(phase), "began": iso_or_none(phase.began), "ended": iso_or_none(phase.ended)}
            for phase in report.phases
        ]
        made |= {
            "intermediate_scores": len(report.intermediate),
            "agent_kind": report.agent,
            "agent_status": report.status,
            "submission_bytes": report.submission,
        }
    return made


def _error(item: Evaluation) -> dict[str, Any] | None:
    if item.outcome not in _ERRORS:
        return None
    return error(item.reason or str(item.outcome), item.error)


def error(message: str, detail: str = "") -> dict[str, Any]:
    """There is no traceback of ours: the error is in the sandbox, or the box says what it is."""
    text = f"{message}\n{detail}" if detail else message
    return {"message": message, "traceback": text, "traceback_ansi": text}


def _retries(material: Material) -> list[dict[str, Any]]:
    before = [one.verdict for one in material.attempts[:-1] if one.verdict is not None]
    return [error(_why(one), one.error) for one in before]


def _why(verdict: Verdict) -> str:
    return f"{verdict.outcome}: {verdict.reason}" if verdict.reason else str(verdict.outcome)


def _limit(material: Material) -> dict[str, Any] | None:
    """Inspect has a name for none of our limits but time."""
    item, limits = material.item, material.item.spec.limits
    kind, limit = "custom", 0.0
    match item.outcome:
        case Outcome.TIMEOUT:
            kind, limit = "time", _seconds(material)
        case Outcome.OUT_OF_MEMORY:
            limit = limits.memory
        case Outcome.DISK_LIMIT:
            limit = limits.disk
        case Outcome.OUTPUT_LIMIT:
            limit = limits.output
        case _:
            return None
    return {"type": kind, "limit": float(limit), "reason": item.reason or str(item.outcome)}


def _seconds(material: Material) -> float:
    """That of the agent where it is the agent's time that was over."""
    for phase in material.report.phases if material.report else ():
        if phase.name == AGENT_PHASE and phase.error and phase.limit is not None:
            return phase.limit
    return material.item.spec.limits.timeout
