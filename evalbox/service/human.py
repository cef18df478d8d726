"""What a person does in the sandbox of a task that was begun for them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import Any

from evalbox.domain.evaluation import Evaluation, EvaluationSpec
from evalbox.domain.limits import KIB, MIB
from evalbox.domain.sandbox import ExecSpec
from evalbox.errors import InvalidInput, TaskError
from evalbox.service.box import Box
from evalbox.service.interactive import shell_spec
from evalbox.service.terminal import Terminal
from evalbox.tasks.standard.planning import PLAN, deadline

HOME = "/home/agent"
#: The phase in which it can be worked on; how long that may take where nothing else is said.
TURN, WORKDAY = "agent", "8h"
INSTRUCTIONS, SUBMISSION = f"{HOME}/instructions.txt", f"{HOME}/submission.txt"
_AGENT = "1000:1000"
_ENV = {"HOME": HOME, "USER": "agent", "LOGNAME": "agent"}
#: The command that the task's driver leaves for whoever attempts it.
_SCORE: tuple[str, ...] = ("/run/evalbox/score",)
_WRITE = f"cat >{SUBMISSION}"
_PIECE = 64 * KIB
_MOST = 256 * KIB
_LONGEST_PLAN, _NAMED = 4 * MIB, 8


@dataclass(frozen=True, slots=True)
class Undertaking:
    """What a person is given: ``seconds`` for the work, and whether scores are ``visible``."""

    seconds: float
    visible: bool


def alone(specs: Sequence[EvaluationSpec], *, path: str) -> None:
    """A person has one task at a time. Raises ``InvalidInput`` where ``path`` has several."""
    if len(specs) > 1:
        raise InvalidInput(
            f"{path}: has {len(specs):,} tasks",
            hint="name one of them: " + ", ".join(spec.name for spec in specs[:_NAMED]),
            field="path",
        )


async def undertaking(box: Box, item: Evaluation) -> Undertaking | None:
    """None where it is not a person who attempts it. Raises what ``Box.read_blob`` raises."""
    file = next((one for one in item.spec.inputs if one.path == PLAN), None)
    if file is None or file.size > _LONGEST_PLAN:
        return None
    content = bytearray()
    async with aclosing(box.read_blob(file.blob)) as pieces:  # type: ignore[type-var]
        async for piece in pieces:
            content += piece
    try:
        plan = json.loads(content)
        if plan["agent"]["kind"] != "human":
            return None
        return Undertaking(deadline(plan, TURN), bool(plan.get("visible", True)))
    except (ValueError, TypeError, KeyError, RecursionError):
        return None


def agent_shell(terminal: Terminal | None, command: Sequence[str] = ()) -> ExecSpec:
    """A shell, or ``command``, as the user ``agent`` in its home."""
    spec = shell_spec(terminal, command, workdir=HOME, user=_AGENT)
    return replace(spec, env={**spec.env, **_ENV})


async def score(box: Box, evaluation_id: str) -> Mapping[str, Any]:
    """What the work is worth so far: ``message``, and ``score`` where that is shown.

    Raises ``TaskError`` where the task tells none, and ``InvalidTransition`` where it does not run.
    """
    return await _asked(box, evaluation_id, _SCORE)


async def submit(box: Box, evaluation_id: str, content: bytes | None = None) -> None:
    """The work is done; ``content`` None: what is in submission.txt is the submission.

    Raises as ``score`` does.
    """
    done = (*_SCORE, "--submit")
    if content is not None:
        done = ("/bin/sh", "-c", f"{_WRITE} && exec {' '.join(done)}")
    await _asked(box, evaluation_id, done, content)


async def read(box: Box, evaluation_id: str, path: str) -> bytes:
    """The beginning of a file in the sandbox, 256 KiB of it at most; empty where there is none.

    Raises ``InvalidTransition`` where it does not run.
    """
    out, _ = await _said(box, evaluation_id, ("cat", path))
    return out


async def _asked(
    box: Box, evaluation_id: str, command: tuple[str, ...], content: bytes | None = None
) -> Mapping[str, Any]:
    return _answer(*await _said(box, evaluation_id, command, content))


async def _said(
    box: Box, evaluation_id: str, command: tuple[str, ...], content: bytes | None = None
) -> tuple[bytes, bytes]:
    """What it printed to standard output and error, the beginning of each."""
    spec = ExecSpec(command, HOME, _ENV, _AGENT, stdin=content is not None)
    running = await box.shell(evaluation_id, spec)
    said: dict[int, bytearray] = {1: bytearray(), 2: bytearray()}
    try:
        if content is not None:
            for at in range(0, len(content), _PIECE):
                await running.write(content[at : at + _PIECE])
            await running.close_stdin()
        async for piece in running.output():
            said[piece.stream] += piece.data[: _MOST - len(said[piece.stream])]
        await running.wait()
    finally:
        await running.close()
    return bytes(said[1]), bytes(said[2])


def _answer(out: bytes, err: bytes) -> Mapping[str, Any]:
    """Written in the sandbox, where whoever is in it may have replaced what writes it."""
    try:
        answer = json.loads(out)
    except (ValueError, RecursionError):
        answer = None
    if not isinstance(answer, dict):
        said = err.decode("utf-8", "replace").strip()[:500]
        raise TaskError(
            f"the task does not answer: {said or 'nobody can work on it now'}",
            hint="evalbox logs ID tells which phase it is in; only in agent can it be worked on",
        )
    if "error" in answer:
        raise TaskError(str(answer["error"])[:500])
    return answer
