"""What a person does in the sandbox of a task that was begun for them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from evalbox.domain.limits import KIB
from evalbox.domain.sandbox import ExecSpec
from evalbox.errors import TaskError
from evalbox.service.box import Box
from evalbox.service.interactive import shell_spec
from evalbox.service.terminal import Terminal

HOME = "/home/agent"
_AGENT = "1000:1000"
_ENV = {"HOME": HOME, "USER": "agent", "LOGNAME": "agent"}
#: The command that the task's driver leaves for whoever attempts it.
_SCORE = "/run/evalbox/score"
_WRITE = f"cat >{HOME}/submission.txt"
_PIECE = 64 * KIB
_MOST = 256 * KIB


def agent_shell(terminal: Terminal | None, command: Sequence[str] = ()) -> ExecSpec:
    """A shell, or ``command``, as the user ``agent`` in its home."""
    spec = shell_spec(terminal, command, workdir=HOME, user=_AGENT)
    return replace(spec, env={**spec.env, **_ENV})


async def score(box: Box, evaluation_id: str) -> Mapping[str, Any]:
    """What the work is worth so far: ``message``, and ``score`` where that is shown.

    Raises ``TaskError`` where the task tells none, and ``InvalidTransition`` where it does not run.
    """
    return await _asked(box, evaluation_id, (_SCORE,))


async def submit(box: Box, evaluation_id: str, content: bytes | None = None) -> None:
    """The work is done; ``content`` None: what is in submission.txt is the submission.

    Raises as ``score`` does.
    """
    done: tuple[str, ...] = (_SCORE, "--submit")
    if content is not None:
        done = ("/bin/sh", "-c", f"{_WRITE} && exec {_SCORE} --submit")
    await _asked(box, evaluation_id, done, content)


async def _asked(
    box: Box, evaluation_id: str, command: tuple[str, ...], content: bytes | None = None
) -> Mapping[str, Any]:
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
    return _answer(bytes(said[1]), bytes(said[2]))


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
