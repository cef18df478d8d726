"""The fields of the form: the options of a request, as people know them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto

from evalbox.domain.engine import ENGINES
from evalbox.domain.evaluation import EvaluationSpec, Network, Priority
from evalbox.domain.limits import Limits
from evalbox.domain.quantity import brief_duration, brief_size

#: Stands for leaving it to the box.
DEFAULT = "default"


class Kind(Enum):
    """``SEVERAL`` values are parted as a shell parts words."""

    TEXT = auto()
    SEVERAL = auto()
    CHOICE = auto()


@dataclass(frozen=True, slots=True)
class Field:
    """``option`` is that of ``Request``. ``unsaid`` is what an empty one means, in words.

    The first of ``choices`` is what is not said.
    """

    option: str
    label: str
    unsaid: str = ""
    kind: Kind = Kind.TEXT
    choices: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Group:
    title: str
    fields: tuple[Field, ...]


_LIMITS = Limits()
_UNSAID = EvaluationSpec("", (), "")

GROUPS = (
    Group(
        "evaluation",
        (
            Field("name", "name", "the file's name, or script"),
            Field("batch", "batch", "none"),
            Field("label", "labels", "KEY=VALUE ...", Kind.SEVERAL),
            Field("repeat", "repeats", "1"),
        ),
    ),
    Group(
        "sandbox",
        (
            Field("image", "image", "the box's default"),
            Field("engine", "engine", kind=Kind.CHOICE, choices=(DEFAULT, *ENGINES)),
            Field("network", "network", kind=Kind.CHOICE, choices=tuple(Network)),
            Field("user", "user", _UNSAID.user),
        ),
    ),
    Group(
        "limits",
        (
            Field("cpus", "cpus", f"{_LIMITS.cpus:g}"),
            Field("memory", "memory", brief_size(_LIMITS.memory)),
            Field("timeout", "timeout", brief_duration(_LIMITS.timeout)),
            Field("disk", "disk", brief_size(_LIMITS.disk)),
            Field("pids", "processes", f"{_LIMITS.pids}"),
            Field("output_limit", "output", brief_size(_LIMITS.output)),
        ),
    ),
    Group(
        "in and out",
        (
            Field("env", "variables", "NAME=VALUE, or NAME for your own ...", Kind.SEVERAL),
            Field("env_file", "variable files", "FILE ...", Kind.SEVERAL),
            Field("file", "files", "FILE or FILE:PATH ...", Kind.SEVERAL),
            Field("stdin", "standard input", "FILE"),
            Field("artifact", "artifacts", "PATH ...", Kind.SEVERAL),
            Field("score", "score file", "PATH"),
        ),
    ),
    Group(
        "queue",
        (
            Field(
                "priority",
                "priority",
                kind=Kind.CHOICE,
                choices=("normal", *(one.name.lower() for one in Priority if one.name != "NORMAL")),
            ),
            Field("retries", "retries", f"{_UNSAID.retry.retries}"),
            Field("at", "not before", "18:30, or 2030-01-31T18:30"),
            Field("after", "delay", "10m"),
        ),
    ),
    Group(
        "family of tasks",
        (
            Field("agent", "agent", "COMMAND, DIRECTORY, SCRIPT, REPLAY.yaml or human"),
            Field("agent_name", "agent's name", "as it is"),
            Field("submission", "submission", "TEXT or @FILE, in place of an agent"),
            Field("task", "tasks", "all, or GLOB ...", Kind.SEVERAL),
            Field("secrets", "secrets", "FILE of NAME=VALUE lines"),
            Field("deadline", "deadlines", "PHASE=TIME ...", Kind.SEVERAL),
        ),
    ),
)

FIELDS = {field.option: field for group in GROUPS for field in group.fields}
