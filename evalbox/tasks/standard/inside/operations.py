"""The operations on a family: each is a process, which gives its result in a file.

The file is named by a nonce that comes on standard input and is read before any code of the family
runs, so that nothing that is printed, or written elsewhere, passes for a result.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from .family import Family, Mistake, judged
from .narration import write_all

Operation = Callable[[Family, dict[str, Any]], Any]
#: Exit statuses: the family is not as it should be; its code raised.
MISTAKEN, RAISED = 3, 4


def _describe(family: Family, _: dict[str, Any]) -> dict[str, Any]:
    """All that decides how its tasks are run."""
    tasks = family.tasks()
    return {
        "required": family.required,
        "tasks": {
            name: {
                "permissions": family.permissions(task),
                "machine": family.wants_machine(task),
            }
            for name, task in tasks.items()
        },
        "intermediate": family.scores_between,
        "scored": family.has("score") or family.has("aggregate_scores"),
    }


def _setup(family: Family, asked: dict[str, Any]) -> dict[str, Any]:
    task = family.task(asked["task"])
    return {
        "permissions": family.permissions(task),
        "instructions": family.instructions(task),
        "machine": family.wants_machine(task),
        "intermediate": family.scores_between,
        "keeps_owners": family.keeps_owners,
    }


def _required(family: Family, _: dict[str, Any]) -> list[str]:
    return family.required


def _install(family: Family, _: dict[str, Any]) -> None:
    family.install()


def _start(family: Family, asked: dict[str, Any]) -> None:
    family.start(family.task(asked["task"]))


def _intermediate(family: Family, asked: dict[str, Any]) -> dict[str, Any]:
    given = family.intermediate(family.task(asked["task"]))
    return {**given, "score": judged(given.get("score"))}


def _score(family: Family, asked: dict[str, Any]) -> dict[str, Any]:
    submission = Path(asked["submission"]).read_bytes().decode("utf-8", "replace")
    log = [_entry(one) for one in asked["log"]]
    return judged(family.score(family.task(asked["task"]), submission, log))


def _teardown(family: Family, asked: dict[str, Any]) -> None:
    family.teardown(family.task(asked["task"]))


def _entry(one: dict[str, Any]) -> dict[str, Any]:
    """Of the log, as ``aggregate_scores`` gets it: an invalid score is what it was called."""
    kind = one["score"]["kind"]
    value = one["score"]["value"] if kind == "number" else float("nan")
    return {**one, "score": None if kind == "manual" else value}


OPERATIONS: dict[str, Operation] = {
    "required": _required,
    "describe": _describe,
    "install": _install,
    "setup": _setup,
    "start": _start,
    "intermediate": _intermediate,
    "score": _score,
    "teardown": _teardown,
}


def perform(name: str) -> int:
    """Does what standard input asks for, writes the result, and gives the exit status."""
    asked = json.loads(sys.stdin.buffer.read())
    result = asked.pop("result")
    os.environ.update(asked.pop("environment"))
    process = os.getpid()
    # Some families read it, and would wait for ever.
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    status, told = _outcome(name, asked)
    if os.getpid() != process:
        # A fork of the family's own that has come back here: only the first one's word counts.
        os._exit(status)
    with suppress(Exception):
        sys.stdout.flush()
    _write(result, told)
    return status


def _outcome(name: str, asked: dict[str, Any]) -> tuple[int, str]:
    """The exit status, and the result as JSON."""
    try:
        value = OPERATIONS[name](Family(asked["family"]), asked)
        return 0, json.dumps({"value": value}, default=str)
    except Mistake as mistake:
        _tell(f"evalbox: {mistake}\n")
        return MISTAKEN, json.dumps({"mistake": str(mistake)})
    except BaseException as error:
        import traceback  # which takes long

        _tell(traceback.format_exc())
        return RAISED, json.dumps({"raised": _line(error)})


def _tell(text: str) -> None:
    """Whatever the family has made of ``sys.stderr``."""
    with suppress(OSError):
        write_all(2, text.encode("utf-8", "replace"))


def _line(error: BaseException) -> str:
    text = str(error).strip().partition("\n")[0]
    return f"{type(error).__name__}: {text}"[:500] if text else type(error).__name__


def _write(path: str, text: str) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    with open(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
