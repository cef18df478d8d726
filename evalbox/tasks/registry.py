"""Which task formats there are, and which of them reads a path."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from evalbox.errors import InvalidInput
from evalbox.tasks.base import Task, TaskFormat, read_bytes, unreadable
from evalbox.tasks.judging import Judge
from evalbox.tasks.script import MAX_SCRIPT, ScriptFormat, script
from evalbox.tasks.standard.format import KIND as TASK_STANDARD
from evalbox.tasks.standard.judge import StandardJudge

#: The first that recognises a path reads it.
FORMATS: tuple[TaskFormat, ...] = (ScriptFormat(),)

#: By the kind of task; what a script is worth, its sandbox tells alone.
JUDGES: Mapping[str, Judge] = {TASK_STANDARD: StandardJudge()}


def judge_of(kind: str) -> Judge | None:
    return JUDGES.get(kind)


def read_task(path: Path, arguments: Sequence[str] = (), *, language: str | None = None) -> Task:
    """Reads ``path`` by the format that recognises it.

    With a ``language``, a key of ``INTERPRETERS``, it is a script of that, whatever its name.
    Raises ``FileMissing`` or ``InvalidInput``.
    """
    try:
        path.stat()
    except OSError as error:
        raise unreadable(path, error) from error
    except ValueError:
        raise InvalidInput(f"{str(path)!r}: is not a possible path") from None
    if language is not None:
        source = read_bytes(path, limit=MAX_SCRIPT)
        return script(
            source, origin=str(path), name=path.name, arguments=arguments, language=language
        )
    for form in FORMATS:
        if form.recognises(path):
            return form.read(path, arguments)
    raise InvalidInput(
        f"{path}: is a directory, and no kind of task that evalbox knows",
        hint=f"name a script in it, or put all of it in with --file {path} and run a script or "
        "a command",
    )
