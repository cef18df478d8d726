"""What was printed, as the messages of a conversation.

A task of a family is given as the user's message, and what the agent's phase printed is the rest. A
replay says each command in a line ``$ COMMAND`` before what it prints: that becomes a call of a
tool and its result. Of anything else all output is one message of the assistant.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from evalbox.domain.limits import KIB
from evalbox.export.inspect_log.material import Material, left_out
from evalbox.tasks.narration import Narration
from evalbox.tasks.registry import judge_of

Message = dict[str, Any]

AGENT_PHASE = "agent"
_STDERR = 2
#: Characters of a command that is shown as what was asked for.
_MOST_INPUT = 16 * KIB
_STEP = re.compile(r"(?:\A|\n)\$ (.*)(?:\n|\Z)")
_SCORE = "score"
_REPLAY = "replay"
#: Steps of a replay that are told apart; what comes behind them is one.
_MOST_STEPS = 1000


@dataclass(frozen=True, slots=True)
class Said:
    """``phases`` are what each phase printed, in order; a script has one, without a name."""

    phases: tuple[tuple[str, str], ...]

    def of(self, name: str) -> str:
        return "".join(text for phase, text in self.phases if phase == name)


def said(material: Material) -> Said:
    judge = judge_of(material.item.spec.kind)
    phases: list[tuple[str, bytearray]] = [("", bytearray())]
    narration = Narration(judge.phases if judge else ())
    line = b""
    for stream, data in _stream(material):
        if judge is None or stream != _STDERR:
            phases[-1][1].extend(data)
            continue
        *whole, line = (line + data).split(b"\n")
        for one in whole:
            begun = narration.feed(one + b"\n")
            if begun:
                phases.append((begun[0], bytearray()))
            else:
                phases[-1][1].extend(one + b"\n")
    phases[-1][1].extend(line)
    told = [(name, data.decode(errors="replace")) for name, data in phases]
    if _is_replay(material):
        told = _begun_earlier(told)
    return Said(tuple((name, text) for name, text in told if text or name))


def _is_replay(material: Material) -> bool:
    return material.report is not None and material.report.agent == _REPLAY


def _begun_earlier(told: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """The word that the agent's phase begins comes on another stream than what is printed in it,
    and may come behind the first step.
    """
    names = [name for name, _ in told]
    if AGENT_PHASE not in names[1:]:
        return told
    place = names.index(AGENT_PHASE)
    (name, text), rest = told[place - 1], told[place][1]
    first = _STEP.search(text)
    if first is None:
        return told
    moved = [(name, text[: first.start()]), (AGENT_PHASE, text[first.start() :] + rest)]
    return [*told[: place - 1], *moved, *told[place + 1 :]]


def _stream(material: Material) -> Iterator[tuple[int, bytes]]:
    for place, piece in enumerate(material.output):
        if place == material.gap:
            yield 1, f"\n{left_out(material.left_out)}\n".encode()
        yield piece.stream, piece.data


def asked(material: Material) -> str:
    """What was to be done, in the words that there are for it."""
    spec = material.item.spec
    if judge_of(spec.kind) is not None:
        return (material.report.instructions if material.report else "") or spec.name
    return shlex.join(spec.command)[:_MOST_INPUT]


def messages(material: Material, words: Said) -> list[Message]:
    """``id`` of each is unique in the sample."""
    agent = material.item.spec.labels.get("agent", "")
    if judge_of(material.item.spec.kind) is None:
        replies = [_assistant(words.of(""), agent)] if words.of("") else []
    else:
        text = words.of(AGENT_PHASE)
        if _is_replay(material):
            replies = _steps(text, agent)
        else:
            replies = [_assistant(text, agent)] if text.strip() else []
        if material.submission is not None:
            replies.append(_assistant(material.submission, agent))
    first = {"role": "user", "content": asked(material), "source": "input"}
    made: list[Message] = [first, *replies]
    return [{"id": f"{material.item.id}-{place}", **one} for place, one in enumerate(made)]


def _steps(text: str, agent: str) -> list[Message]:
    found = list(_STEP.finditer(text))[:_MOST_STEPS]
    before = text[: found[0].start()] if found else text
    made = [_assistant(before, agent)] if before.strip() else []
    ends = [*(match.start() for match in found[1:]), len(text)]
    for number, (match, end) in enumerate(zip(found, ends, strict=False), start=1):
        function = _SCORE if match[1] == _SCORE else "bash"
        arguments = {} if function == _SCORE else {"cmd": match[1]}
        call = {"id": f"call-{number}", "function": function, "arguments": arguments,
                "type": "function"}  # fmt: skip
        made.append({**_assistant("", agent), "tool_calls": [call]})
        result = {"role": "tool", "content": text[match.end() : end]}
        made.append({**result, "tool_call_id": call["id"], "function": function})
    return made


def _assistant(content: str, agent: str) -> Message:
    return {"role": "assistant", "content": content, "source": "generate", "model": agent or "none"}
