"""What is to be run, as a Python program says it."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any, TypedDict

from evalbox.domain.evaluation import EvaluationSpec, Network, Priority
from evalbox.domain.limits import Limits
from evalbox.domain.paths import STDIN, destination
from evalbox.domain.quantity import parse_duration, parse_size
from evalbox.domain.retry import RetryPolicy
from evalbox.errors import InvalidInput
from evalbox.requests import values
from evalbox.requests.prepared import Asked, Prepared
from evalbox.tasks.base import Task, TaskFile, command_task
from evalbox.tasks.registry import read_task
from evalbox.tasks.script import script
from evalbox.tasks.standard.format import Place, find, no_family

#: The text of a program, or the path of the file that it is in.
Source = str | bytes | Path
#: Bytes, or text, or the path of a file of this machine.
Content = str | bytes | Path
#: What only families have.
FAMILY_OPTIONS = ("agent", "agent_name", "submission", "tasks", "secrets", "deadlines")


class Options(TypedDict, total=False):
    """How something is to be run. What is left out has the box's own default.

    ``command``: the argument vector of a program in the image, in place of a source.
    ``language``: ``py``, ``js`` or ``sh``; else the suffix or the ``#!`` line tells it.
    ``arguments``: for the program.
    ``files``: by their path, absolute or beneath ``/home/agent``; ``stdin``: standard input.
    ``artifacts``: the paths that are kept after the end; ``score``: that of the file with the
    score.
    ``memory``, ``disk``, ``output``: bytes, or as in ``1g``; ``timeout``, ``delay``: seconds, or as
    in ``10m``; ``cpus`` in cores; ``pids`` a count.
    ``retries``: how often the program's own failures are tried again, or a whole policy.
    ``not_before``: the earliest start; ``delay``: the same, from now.

    For a family of tasks, of which the source is the path, as in ``"family/task"``:
    ``agent``: a command, the path of a directory, script or replay, or ``human``; ``agent_name``:
    what to call it; ``submission``: what is scored in place of an agent's work; ``tasks``: globs,
    where the path names no task; ``secrets``: the family's variables, or the path of a file with
    them; ``deadlines``: by phase. ``timeout`` is the agent's, ``env`` its variables.
    """

    command: Sequence[str]
    language: str
    arguments: Sequence[str]
    name: str
    image: str
    engine: str
    user: str
    workdir: str
    env: Mapping[str, str]
    files: Mapping[str, Content]
    stdin: Content
    artifacts: Sequence[str]
    score: str
    network: Network | str
    memory: int | str
    cpus: float
    timeout: float | str
    disk: int | str
    pids: int
    output: int | str
    priority: Priority | str
    retries: int | RetryPolicy
    delay: float | str
    not_before: datetime
    batch: str
    labels: Mapping[str, str]
    idempotency_key: str
    agent: str
    agent_name: str
    submission: Content
    tasks: Sequence[str]
    secrets: Mapping[str, str] | Path
    deadlines: Mapping[str, float | str]


def job(source: Source | None, options: Options) -> Asked:
    """Raises ``InvalidInput`` and ``FileMissing``."""
    _check_names(options)
    if (place := _family(source, options)) is not None:
        from evalbox.sdk.families import attempts_of

        return attempts_of(place, options, common(options))
    task = _task(source, options)
    spec = common(options)
    given: dict[str, Any] = {
        key: options[key] for key in ("user", "workdir", "score") if key in options
    }
    spec = replace(
        spec,
        name=spec.name or task.name,
        kind=task.kind,
        command=task.command,
        limits=limits(options),
        **given,
    )
    stdin = options.get("stdin")
    return Prepared(
        spec,
        (*task.files, *sent(options)),
        None if stdin is None else TaskFile(STDIN, content(stdin)),
    )


def common(options: Options) -> EvaluationSpec:
    """What is said of an evaluation whatever is run; without a name where none is given."""
    given: dict[str, Any] = {
        key: options[key] for key in ("batch", "idempotency_key") if key in options
    }
    return EvaluationSpec(
        name=options.get("name", ""),
        command=(),
        image=options.get("image", ""),
        engine=options.get("engine", ""),
        env=dict(options.get("env", {})),
        artifacts=tuple(
            destination(path, field="artifacts") for path in options.get("artifacts", ())
        ),
        network=values.network(options.get("network", Network.NONE)),
        priority=values.priority(options.get("priority", Priority.NORMAL)),
        retry=_retry(options.get("retries", 0)),
        not_before=_start(options),
        labels=dict(options.get("labels", {})),
        **given,
    )


def sent(options: Options) -> tuple[TaskFile, ...]:
    """The files that go in."""
    return tuple(
        TaskFile(destination(path, field="files"), content(value))
        for path, value in options.get("files", {}).items()
    )


def content(value: Content) -> Path | bytes:
    """What of a file is stored."""
    return value.encode() if isinstance(value, str) else value


def limits(options: Mapping[str, Any]) -> Limits:
    """Those that are given, the rest as by default. Raises ``InvalidInput``."""
    return Limits(**given_limits(options))


def given_limits(options: Mapping[str, Any]) -> dict[str, Any]:
    """By the name of the limit."""
    given: dict[str, Any] = {}
    for name in ("memory", "disk", "output"):
        if name in options:
            value = options[name]
            given[name] = parse_size(value, field=name) if isinstance(value, str) else value
    if "timeout" in options:
        given["timeout"] = seconds(options["timeout"], field="timeout")
    for name in ("cpus", "pids"):
        if name in options:
            given[name] = options[name]
    return given


def seconds(value: float | str, *, field: str) -> float:
    """Raises ``InvalidInput``."""
    return parse_duration(value, field=field) if isinstance(value, str) else value


def _check_names(options: Options) -> None:
    """What came through a mapping may have any."""
    unknown = sorted(set(options) - set(Options.__annotations__))
    if unknown:
        raise InvalidInput(
            f"unknown option {unknown[0]!r}",
            hint=f"known: {', '.join(Options.__annotations__)}",
            field=unknown[0],
        )


def _family(source: Source | None, options: Options) -> Place | None:
    """The family that is meant; text is the path of one where there is somebody to attempt it."""
    asked = [name for name in FAMILY_OPTIONS if name in options]
    if asked and isinstance(source, str | Path):
        place = find(Path(source), certain=True)
        if place is None:
            raise no_family(Path(source))
        return place
    if asked:
        raise InvalidInput(f"{asked[0]} is for a family of tasks", field=asked[0])
    return find(source) if isinstance(source, Path) and "language" not in options else None


def _task(source: Source | None, options: Options) -> Task:
    command = tuple(options.get("command", ()))
    arguments = tuple(options.get("arguments", ()))
    if (source is None) == (not command):
        raise InvalidInput(
            "there is to be a source or a command, and not both",
            hint='as in run("print(1)", language="py") or run(command=["ls"])',
            field="source",
        )
    if source is None:
        return command_task((*command, *arguments))
    language = options.get("language")
    if isinstance(source, Path):
        return read_task(source, arguments, language=language)
    text = source.encode() if isinstance(source, str) else source
    return script(text, origin="script", name="script", arguments=arguments, language=language)


def _retry(value: int | RetryPolicy) -> RetryPolicy:
    return value if isinstance(value, RetryPolicy) else RetryPolicy(retries=value)


def _start(options: Options) -> float | None:
    if "delay" in options and "not_before" in options:
        raise InvalidInput("give delay or not_before, not both", field="delay")
    if "delay" in options:
        return time.time() + seconds(options["delay"], field="delay")
    return options["not_before"].timestamp() if "not_before" in options else None
