"""Entries of the logs in words that people read."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from evalbox.domain.audit import OK, AuditEntry
from evalbox.domain.event import Event
from evalbox.domain.outcome import Outcome
from evalbox.domain.state import State
from evalbox.tui.model.chronicle import Entry
from evalbox.tui.theme import Tone
from evalbox.tui.wording import STATES, count, outcome_tone

#: Characters of a value in an entry that is told in one line.
_MOST = 400

#: Where an actor came in who is on the box's own machine.
_HERE = ("", "local", "socket")

Data = Mapping[str, Any]
_Tell = Callable[[Event], str]


def key_of(entry: Entry) -> str:
    """What makes it the same entry."""
    return f"{'e' if isinstance(entry, Event) else 'a'}{entry.seq}"


def kind_of(entry: Entry) -> str:
    return entry.kind if isinstance(entry, Event) else entry.action


def subject_of(entry: Entry) -> str:
    """The id of what it is about; empty where that is the box itself."""
    if isinstance(entry, AuditEntry):
        return entry.target
    data = entry.data
    return entry.evaluation_id or str(
        data.get("name") or data.get("sandbox") or data.get("webhook") or data.get("key")
        or entry.batch or ""
    )  # fmt: skip


def evaluation_of(entry: Entry) -> str | None:
    """The full id of the evaluation that it is about, if it is about one."""
    if isinstance(entry, Event):
        return entry.evaluation_id
    return entry.target if entry.action.startswith("evaluation.") and entry.target else None


def actor_of(entry: Entry) -> str:
    """Who did it, and from where unless that is here; empty for what happened by itself."""
    if isinstance(entry, Event):
        return ""
    return entry.actor if entry.source in _HERE else f"{entry.actor} ({entry.source})"


def tone_of(entry: Entry) -> Tone:
    if isinstance(entry, AuditEntry):
        return Tone.SPECIAL if entry.result == OK else Tone.BAD
    noun, _, verb = entry.kind.partition(".")
    if noun == "evaluation":
        return _tone_of_evaluation(verb, entry.data)
    return _TONES.get(entry.kind, Tone.ACCENT)


def _tone_of_evaluation(verb: str, data: Data) -> Tone:
    if verb == State.QUEUED and data.get("outcome"):
        return Tone.WARN
    return _STATES.get(verb, Tone.WARN)


_STATES = {str(state): tone for state, tone in STATES.items()}
_TONES = {
    "alert.raised": Tone.BAD,
    "alert.resolved": Tone.GOOD,
    "queue.holding": Tone.WARN,
    "queue.released": Tone.GOOD,
    "queue.paused": Tone.WARN,
    "queue.resumed": Tone.GOOD,
}


def words_of(entry: Entry) -> str:
    """What happened. Still the words of jobs and users, to be made steady."""
    if isinstance(entry, AuditEntry):
        return _words_of_audit(entry)
    tell = _TELLS.get(entry.kind)
    return tell(entry) if tell is not None else _pairs(entry.data)


def _words_of_audit(entry: AuditEntry) -> str:
    detail = dict(entry.detail)
    number = detail.pop("count", None)
    detail.pop("ids", None)
    parts = [count(number, "evaluation")] if isinstance(number, int) else []
    if entry.result != OK:
        parts.append(f"refused: {entry.result.replace('_', ' ')}")
    return ", ".join([*parts, *([_pairs(detail)] if detail else [])]) or "done"


def _queued(event: Event) -> str:
    if event.data.get("outcome"):
        return f"to be tried again after {_ending(event)}"
    return str(event.data.get("reason") or "submitted")


def _ending(event: Event) -> str:
    data = event.data
    parts = [str(data.get("outcome") or "")]
    if data.get("reason"):
        parts.append(str(data["reason"]))
    elif data.get("exit_code"):
        parts.append(f"exit status {data['exit_code']}")
    return ": ".join(part for part in parts if part).replace("_", " ")


def _tried(what: str) -> _Tell:
    return lambda event: f"try {event.attempt or 1} {what}"


def _scored(event: Event) -> str:
    data = event.data
    words = f"{(data.get('score') or {}).get('value')} by {data.get('by')}"
    return f"{words}: {data['note']}" if data.get("note") else words


def _said(key: str, otherwise: str) -> _Tell:
    return lambda event: str(event.data.get(key) or otherwise)


def _limited(event: Event) -> str:
    limit = event.data.get("concurrency")
    return "as many at once as there are slots" if limit is None else f"at most {limit} at once"


def _planned(event: Event) -> str:
    told = ["ended by the first that fails"] if event.data.get("fail_fast") else []
    if event.data.get("reduce"):
        told.append(f"reduced by {event.data['reduce']}")
    return ", ".join(told) or "nothing is planned for its end"


def _reduced(event: Event) -> str:
    reason = event.data.get("reason")
    return f"not reduced: {reason}" if reason else f"reduced by {event.data.get('evaluation')}"


_TELLS: Mapping[str, _Tell] = {
    "evaluation.queued": _queued,
    "evaluation.starting": _tried("starts"),
    "evaluation.running": _tried("runs"),
    "evaluation.scoring": _tried("is scored"),
    "evaluation.completed": _ending,
    "evaluation.failed": _ending,
    "evaluation.cancelled": lambda event: _ending(event) or "cancelled",
    "evaluation.dead": lambda event: f"given up after {_ending(event)}",
    "evaluation.phase": lambda event: f"comes to its phase {event.data.get('phase')}",
    "evaluation.scored": _scored,
    "evaluation.cancel_requested": lambda event: "asked to cancel",
    "evaluation.removed": lambda event: "removed, with its files",
    "evaluation.prioritized": lambda event: f"now of {event.data.get('priority')} priority",
    "queue.paused": lambda event: "nothing starts until it is resumed",
    "queue.resumed": lambda event: "what is due starts",
    "queue.resized": lambda event: f"{event.data.get('slots')} run at once",
    "queue.holding": _said("reason", "nothing starts"),
    "queue.released": lambda event: "what is due starts",
    "batch.limited": _limited,
    "batch.planned": _planned,
    "batch.reduced": _reduced,
    "sandbox.created": lambda event: f"kept, by {event.data.get('engine')}",
    "sandbox.removed": lambda event: str(event.data.get("reason") or event.data.get("end")),
    "webhook.changed": lambda event: "another address, another interest or none",
    "alert.raised": _said("text", "alert"),
    "alert.resolved": lambda event: f"over: {event.data.get('text')}",
}


def outcome_of(entry: Entry) -> tuple[str, Tone]:
    """How what it tells of went, where it tells that."""
    if isinstance(entry, AuditEntry):
        return entry.result, Tone.GOOD if entry.result == OK else Tone.BAD
    told = entry.data.get("outcome")
    if told not in list(Outcome):
        return "", Tone.FAINT
    return str(told), outcome_tone(Outcome(told))


def _pairs(data: Data) -> str:
    """Values that nothing else is known of."""
    told = ((key.replace("_", " "), value) for key, value in data.items() if value is not None)
    return ", ".join(f"{key} {_value(value)}" for key, value in told)


def _value(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list) and all(isinstance(one, str) for one in value):
        value = " and ".join(value)
    text = value if isinstance(value, str) else json.dumps(value, default=str)
    return text[:_MOST]
