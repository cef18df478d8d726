"""A batch file: which tasks, who attempts them, how often, and how. Every key is known.

See ``docs/batches.md`` for all that it may say.
"""

from __future__ import annotations

import itertools
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from evalbox.batches.options import OPTIONS, Options, beside, read_options
from evalbox.domain.experiment import EPOCH, THRESHOLD
from evalbox.domain.reduction import REDUCES
from evalbox.domain.text import plain_text
from evalbox.errors import InvalidInput
from evalbox.tasks.base import read_bytes
from evalbox.tasks.strict import MAX_SOURCE, Node, read_yaml

MAX_EPOCHS, MAX_CONCURRENCY, MAX_VARIANTS = 10_000, 1024, 1000
#: Labels that are ours.
TASK = "task"
OWN_LABELS = frozenset({"agent", EPOCH, TASK, REDUCES, THRESHOLD})

_TOP = frozenset({"name", "tasks", "agents", "epochs", "concurrency", "fail_fast", "labels",
                  "matrix", "pass_score", "reduce"}) | OPTIONS  # fmt: skip
_TASK = frozenset({"path", "command", "name", "arguments", "tasks"}) | OPTIONS
_AGENT = frozenset({"name", "agent", "submission", "arguments", "env", "env_file", "files"})
_REDUCE = frozenset({"path", "command", "arguments"}) | OPTIONS


@dataclass(frozen=True, slots=True)
class TaskEntry:
    """``path`` may be a pattern; ``tasks`` are patterns of the tasks of a family.

    Without a path it is a command, which is in ``options``.
    """

    node: Node
    path: str | None
    name: str | None = None
    tasks: tuple[str, ...] = ()
    options: Options = field(default_factory=Options)


@dataclass(frozen=True, slots=True)
class AgentEntry:
    """``attempts``: it is for families; else it is a way to run a script."""

    node: Node
    name: str | None
    attempts: bool
    options: Options


@dataclass(frozen=True, slots=True)
class ReduceEntry:
    """As a task that is a script or a command."""

    node: Node
    path: str | None
    options: Options


@dataclass(frozen=True, slots=True)
class BatchFile:
    """``variants`` are the combinations of the matrix's variables; one that is empty for none.

    ``pass_score`` is the score from which on an evaluation passes.
    """

    path: Path
    name: str
    tasks: tuple[TaskEntry, ...]
    agents: tuple[AgentEntry, ...] = ()
    epochs: int = 1
    concurrency: int | None = None
    fail_fast: bool = False
    labels: tuple[str, ...] = ()
    pass_score: float | None = None
    variants: tuple[Mapping[str, str], ...] = ({},)
    options: Options = field(default_factory=Options)
    reduce: ReduceEntry | None = None


def read_batch(path: Path) -> BatchFile:
    """Raises ``InvalidInput`` that names the line, and ``FileMissing``."""
    return parse_batch(read_bytes(path, limit=MAX_SOURCE), path)


def parse_batch(source: bytes, path: Path) -> BatchFile:
    top = read_yaml(source, str(path))
    if top is None:
        raise InvalidInput(f"{path}: is empty", hint="it needs a name and tasks")
    keys = top.mapping(_TOP)
    for needed in ("name", "tasks"):
        if needed not in keys:
            raise top.wrong(f"has no {needed}")
    base = path.parent
    tasks = tuple(_task(item, base) for item in keys["tasks"].items())
    if not tasks:
        raise keys["tasks"].wrong("has no tasks")
    return BatchFile(
        path=path,
        name=_plain(keys["name"]),
        tasks=tasks,
        agents=tuple(_agent(item, base) for item in keys["agents"].items())
        if "agents" in keys
        else (),
        epochs=keys["epochs"].whole(low=1, high=MAX_EPOCHS) if "epochs" in keys else 1,
        concurrency=_concurrency(keys),
        fail_fast="fail_fast" in keys and keys["fail_fast"].flag(),
        labels=_labels(keys["labels"]) if "labels" in keys else (),
        pass_score=_pass_score(keys),
        variants=_variants(keys["matrix"]) if "matrix" in keys else ({},),
        options=read_options(keys, base),
        reduce=_reduce(keys["reduce"], base) if "reduce" in keys else None,
    )


def _concurrency(keys: Mapping[str, Node]) -> int | None:
    return keys["concurrency"].whole(low=1, high=MAX_CONCURRENCY) if "concurrency" in keys else None


def _pass_score(keys: Mapping[str, Node]) -> float | None:
    if "pass_score" not in keys:
        return None
    return keys["pass_score"].number(low=-sys.float_info.max, high=sys.float_info.max)


def _plain(node: Node) -> str:
    try:
        return plain_text(node.text(), field="")
    except InvalidInput as error:
        raise node.wrong(error.message.removeprefix(": "), hint=error.hint) from None


def _labels(node: Node) -> tuple[str, ...]:
    found = node.mapping()
    for key, value in found.items():
        if key in OWN_LABELS:
            raise value.wrong("this label is the batch's own", hint="call yours something else")
    return tuple(f"{key}={value.text()}" for key, value in found.items())


def _task(node: Node, base: Path) -> TaskEntry:
    if not node.is_mapping:
        return TaskEntry(node, beside(base, node.text()))
    keys = node.mapping(_TASK)
    return TaskEntry(
        node,
        _path(node, keys, base),
        name=_plain(keys["name"]) if "name" in keys else None,
        tasks=tuple(item.text() for item in keys["tasks"].items()) if "tasks" in keys else (),
        options=_with_arguments(keys, base),
    )


def _agent(node: Node, base: Path) -> AgentEntry:
    if not node.is_mapping:
        return AgentEntry(node, None, True, _attempting("agent", node, base))
    keys = node.mapping(_AGENT)
    name = _plain(keys["name"]) if "name" in keys else None
    attempting = [key for key in ("agent", "submission") if key in keys]
    if len(attempting) == 2:
        raise node.wrong("agent and submission exclude each other")
    if not attempting and name is None:
        raise node.wrong("has neither a name nor an agent nor a submission")
    if attempting and "arguments" in keys:
        raise keys["arguments"].wrong("are for scripts", hint="put them into agent")
    options = _with_arguments(keys, base)
    for key in attempting:
        options = _attempting(key, keys[key], base).over(options)
    return AgentEntry(node, name, bool(attempting), options)


def _attempting(key: str, node: Node, base: Path) -> Options:
    """A file that is named is one beside the batch file, wherever the command is run."""
    text = node.text()
    if key == "submission" and text.startswith("@"):
        text = f"@{beside(base, text[1:])}"
    elif key == "agent" and _is_there(beside(base, text)):
        text = beside(base, text)
    return Options({key: text}, {key: node})


def _is_there(path: str) -> bool:
    try:
        return Path(path).exists()
    except (OSError, ValueError):
        return False


def _reduce(node: Node, base: Path) -> ReduceEntry:
    if not node.is_mapping:
        return ReduceEntry(node, beside(base, node.text()), Options())
    keys = node.mapping(_REDUCE)
    return ReduceEntry(node, _path(node, keys, base), _with_arguments(keys, base))


def _path(node: Node, keys: Mapping[str, Node], base: Path) -> str | None:
    if ("path" in keys) == ("command" in keys):
        raise node.wrong("is to have one of: path, command")
    return beside(base, keys["path"].text()) if "path" in keys else None


def _with_arguments(keys: Mapping[str, Node], base: Path) -> Options:
    options = read_options(keys, base)
    for key in ("arguments", "command"):
        if key in keys:
            words = tuple(item.text() for item in keys[key].items())
            if key == "command" and not words:
                raise keys[key].wrong("is empty")
            options = Options({key: words}, {key: keys[key]}).over(options)
    return options


def _variants(node: Node) -> tuple[Mapping[str, str], ...]:
    axes = node.mapping()
    values: list[list[str]] = []
    for name, axis in axes.items():
        found = [item.text() for item in axis.items()]
        if not found or len(set(found)) < len(found):
            raise axis.wrong("is to have values that differ")
        if name in OWN_LABELS:
            raise axis.wrong("this name is the batch's own", hint="call the variable otherwise")
        values.append(found)
    made = [dict(zip(axes, chosen, strict=True)) for chosen in itertools.product(*values)]
    if len(made) > MAX_VARIANTS:
        raise node.wrong(f"makes {len(made):,} combinations", hint=f"at most {MAX_VARIANTS:,}")
    return tuple(made)
