"""What happened in an attempt, as the events of a sample."""

from __future__ import annotations

import shlex
from typing import Any

from evalbox.domain.limits import KIB
from evalbox.export.inspect_log.conversation import AGENT_PHASE, Said
from evalbox.export.inspect_log.material import Material
from evalbox.export.inspect_log.scores import SCORE, told
from evalbox.wire.moments import iso

Event = dict[str, Any]

#: Intermediate scores, from the first on, and characters of what a phase printed.
_MOST_SCORES, _MOST_TEXT = 1000, 16 * KIB


def events(material: Material, words: Said, ended: dict[str, Any]) -> list[Event]:
    """In their order. ``ended`` is the sample, of which the last of them tell again."""
    timed = [*_phases(material, words), *_between(material), *_end(material, ended)]
    timed.sort(key=lambda pair: pair[0])
    return [
        {
            "uuid": f"{material.item.id}-event-{place}",
            "timestamp": iso(at),
            "working_start": max(0.0, at - material.began),
            **event,
        }
        for place, (at, event) in enumerate(timed)
    ]


def _phases(material: Material, words: Said) -> list[tuple[float, Event]]:
    if material.report is None:
        return [(material.began, _command(material))]
    made: list[tuple[float, Event]] = []
    latest = material.began
    for place, phase in enumerate(material.report.phases):
        began = latest if phase.began is None else max(latest, phase.began)
        latest = began if phase.ended is None else max(began, phase.ended)
        span = f"{place}-{phase.name}"
        opened = {"event": "span_begin", "id": span, "name": phase.name, "type": phase.name}
        made.append((began, {**opened, "span_id": span, "metadata": {"limit": phase.limit}}))
        text = "" if phase.name == AGENT_PHASE else words.of(phase.name)
        for source, said in (("output", text), ("error", phase.error)):
            if said:
                info = {"event": "info", "source": source, "data": said[:_MOST_TEXT]}
                made.append((latest, {**info, "span_id": span}))
        made.append((latest, {"event": "span_end", "id": span, "span_id": span}))
    return made


def _command(material: Material) -> Event:
    spec = material.item.spec
    return {
        "event": "sandbox",
        "action": "exec",
        "cmd": shlex.join(spec.command)[:_MOST_TEXT],
        "result": material.item.exit_code,
        "completed": iso(material.ended),
    }


def _between(material: Material) -> list[tuple[float, Event]]:
    if material.report is None:
        return []
    made = []
    for one in material.report.intermediate[:_MOST_SCORES]:
        score = told(one.score)
        score["metadata"] |= {"message": dict(one.message), "details": dict(one.details)}
        event = {"event": "score", "score": score, "intermediate": True, "scorer": SCORE}
        made.append((one.scored_at or one.created_at or material.began, event))
    return made


def _end(material: Material, ended: dict[str, Any]) -> list[tuple[float, Event]]:
    made: list[Event] = []
    if ended["limit"] is not None:
        limit = ended["limit"]
        told_so = {"type": limit["type"], "message": limit["reason"], "limit": limit["limit"]}
        made.append({"event": "sample_limit", **told_so})
    for name, score in ended["scores"].items():
        made.append({"event": "score", "score": score, "intermediate": False, "scorer": name})
    if ended["error"] is not None:
        made.append({"event": "error", "error": ended["error"]})
    return [(material.ended, event) for event in made]
