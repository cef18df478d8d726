"""What a family's image says is in it: written by the family's own code, and read with distrust."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from evalbox.domain.text import MAX_NAME
from evalbox.errors import InvalidInput, TaskError
from evalbox.tasks.strict import near

#: Tasks that a family may have, and variables that it may require.
MAX_TASKS, MAX_REQUIRED = 100_000, 500
_INTERNET = "full_internet"
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,199}")


@dataclass(frozen=True, slots=True)
class TaskFacts:
    """``machine``: it needs a virtual machine beside its sandbox."""

    internet: bool = False
    machine: bool = False


@dataclass(frozen=True, slots=True)
class FamilyFacts:
    """``required`` are the names of the variables that must be set."""

    tasks: Mapping[str, TaskFacts]
    required: tuple[str, ...] = ()

    def chosen(self, family: str, task: str | None, patterns: Sequence[str]) -> tuple[str, ...]:
        """The one, or those that a pattern fits, or all. Raises ``InvalidInput`` for none."""
        if task is not None:
            if task not in self.tasks:
                raise InvalidInput(
                    f"family {family} has no task {task!r}", hint=self._hint(task), field="path"
                )
            return (task,)
        if not self.tasks:
            raise InvalidInput(f"family {family} has no tasks", field="path")
        for pattern in patterns:
            if not any(fnmatchcase(name, pattern) for name in self.tasks):
                raise InvalidInput(
                    f"--task: family {family} has no task like {pattern!r}",
                    hint=self._hint(pattern),
                    field="task",
                )
        return tuple(
            name
            for name in self.tasks
            if not patterns or any(fnmatchcase(name, pattern) for pattern in patterns)
        )

    def _hint(self, name: str, most: int = 8) -> str:
        if like := near(name, self.tasks):
            return like
        names = list(self.tasks)
        more = f" and {len(names) - most:,} more" if len(names) > most else ""
        return f"it has {', '.join(names[:most])}{more}"


def read_description(text: str, family: str) -> FamilyFacts:
    """Raises ``TaskError`` where it is not what the driver writes."""
    try:
        told = json.loads(text)
        return FamilyFacts(_tasks(told["tasks"]), _required(told["required"]))
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        raise TaskError(
            f"family {family}: its image does not say which tasks there are",
            hint="its install() may have overwritten /root/.evalbox",
        ) from None


def _tasks(told: Any) -> dict[str, TaskFacts]:
    if len(told) > MAX_TASKS or not all(0 < len(name) <= MAX_NAME for name in told):
        raise ValueError
    return {
        name: TaskFacts(_INTERNET in _list(one["permissions"]), _flag(one["machine"]))
        for name, one in told.items()
    }


def _required(told: Any) -> tuple[str, ...]:
    names = _list(told)
    if len(names) > MAX_REQUIRED or not all(_VARIABLE.fullmatch(name) for name in names):
        raise ValueError
    return tuple(dict.fromkeys(names))


def _list(value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise TypeError
    return value


def _flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise TypeError
    return value
