"""What was asked for of a family of tasks, in words, and the request that it makes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from evalbox.agents.base import Agent
from evalbox.agents.choosing import WAYS, choose
from evalbox.agents.simple import read_submission, submission
from evalbox.domain.admissible import check_spec
from evalbox.domain.evaluation import AGENT, EvaluationSpec
from evalbox.domain.image import TASK_STANDARD
from evalbox.domain.quantity import parse_duration
from evalbox.errors import InvalidInput
from evalbox.requests import values
from evalbox.requests.attempts import PreparedFamily
from evalbox.requests.secrets import read_secrets
from evalbox.tasks.standard import planning
from evalbox.tasks.standard.family import read
from evalbox.tasks.standard.format import KIND, Place


@dataclass(frozen=True, slots=True)
class Wishes:
    """The options that only families have, as they were typed."""

    agent: str | None = None
    submission: str | None = None
    agent_name: str | None = None
    task: Sequence[str] = ()
    secrets: str | None = None
    deadline: Sequence[str] = ()


def wished(
    place: Place, wishes: Wishes, spec: EvaluationSpec, *, limits: Mapping[str, Any], **given: Any
) -> PreparedFamily:
    """``spec`` is the part that any evaluation has. Raises ``InvalidInput`` and ``FileMissing``.

    ``limits`` are those that were named, of which the time is the agent's; ``given`` goes into the
    request as it is.
    """
    if place.task is not None and wishes.task:
        raise InvalidInput(
            f"--task: the path names task {place.task} already", hint="leave out one", field="task"
        )
    secrets = None if wishes.secrets is None else Path(wishes.secrets)
    if secrets is not None and _is_within(secrets, place.directory):
        raise InvalidInput(
            f"--secrets: {secrets} lies in the family, and would be in its image",
            hint="move it to another directory",
            field="secrets",
        )
    deadlines = _deadlines(wishes.deadline)
    return attempts(
        place,
        _agent(wishes),
        spec,
        name=wishes.agent_name,
        limits=limits,
        deadlines=deadlines,
        patterns=tuple(wishes.task),
        secrets={} if secrets is None else read_secrets(secrets),
        **given,
    )


def attempts(
    place: Place,
    agent: Agent,
    spec: EvaluationSpec,
    *,
    name: str | None,
    limits: Mapping[str, Any],
    deadlines: Mapping[str, float],
    **given: Any,
) -> PreparedFamily:
    """``name`` is what the agent is called, where that is said. Raises as ``wished`` does."""
    family = read(place)
    said = {} if name is None else {AGENT: values.plain_text(name, field="agent-name")}
    spec = replace(
        spec,
        name=spec.name or family.name,
        kind=KIND,
        command=planning.run_command(place.task or "task"),
        image=spec.image or TASK_STANDARD,
        user="0:0",
        workdir="/root",
        capabilities=planning.CAPABILITIES,
        artifacts=tuple(dict.fromkeys((planning.REPORT, planning.SUBMISSION, *spec.artifacts))),
        labels={AGENT: agent.name, **spec.labels, **said},
    )
    check_spec(replace(spec, engine=spec.engine or "default"))
    rest = {key: value for key, value in limits.items() if key != "timeout"}
    if "timeout" in limits:
        deadlines = {"agent": limits["timeout"], **deadlines}
    return PreparedFamily(
        spec, family, agent, place.task, limits=rest, deadlines=deadlines, **given
    )


def _agent(wishes: Wishes) -> Agent:
    if wishes.agent is not None and wishes.submission is not None:
        raise InvalidInput("--agent and --submission exclude each other", field="agent")
    if wishes.submission is not None:
        return submission(read_submission(wishes.submission))
    if wishes.agent is None:
        raise InvalidInput(
            "nobody is to attempt the task", hint=f"ways to attempt: {WAYS}", field="agent"
        )
    return choose(wishes.agent)


def _deadlines(given: Sequence[str]) -> dict[str, float]:
    found = {}
    for text in given:
        phase, equals, time = text.partition("=")
        if not equals:
            raise InvalidInput(
                f"--deadline: {text!r} is not PHASE=TIME",
                hint="for example --deadline start=20m",
                field="deadline",
            )
        planning.check_phase(phase)
        found[phase] = parse_duration(time, field="--deadline")
    return found


def _is_within(path: Path, directory: Path) -> bool:
    try:
        return path.resolve().is_relative_to(directory.resolve())
    except (OSError, RuntimeError, ValueError):
        return False
