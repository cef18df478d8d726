"""Calls the members of a family. This is where its code runs, in a process of its own."""

from __future__ import annotations

import importlib
import math
import os
import sys
from typing import Any

#: Where the family lies in the sandbox, and the working directory of all that is done with it.
ROOT = "/root"

FULL_INTERNET = "full_internet"
_PERMISSIONS = ((), (FULL_INTERNET,))
_INTERMEDIATE = {"score", "message", "details"}


class Mistake(Exception):
    """The family is not as the standard has it; the message is for its author."""


class Family:
    """A family's class, found by its name. Raises ``Mistake``, and what its module raises."""

    def __init__(self, name: str) -> None:
        sys.path.insert(0, ROOT)
        module = importlib.import_module(name)
        if not str(getattr(module, "__file__", None)).startswith(f"{ROOT}/"):
            raise Mistake(f"Python has a module {name} itself: the family needs another name")
        kind = getattr(module, "TaskFamily", None)
        if not isinstance(kind, type):
            raise Mistake(f"{name}.py has no class TaskFamily")
        self._kind = kind

    def has(self, member: str) -> bool:
        return hasattr(self._kind, member)

    def _call(self, member: str, *arguments: Any) -> Any:
        return getattr(self._kind, member)(*arguments)

    @property
    def required(self) -> list[str]:
        """The names of the variables that must be set."""
        names = getattr(self._kind, "required_environment_variables", [])
        if not isinstance(names, list | tuple) or not all(isinstance(one, str) for one in names):
            raise Mistake("required_environment_variables is no list of names")
        return list(names)

    @property
    def keeps_owners(self) -> bool:
        """Whether /home/agent is left as ``start`` leaves it."""
        return bool(getattr(self._kind, "skip_chown_after_start", False))

    def tasks(self) -> dict[str, Any]:
        if not self.has("get_tasks"):
            raise Mistake("TaskFamily has no get_tasks")
        tasks = self._call("get_tasks")
        if not isinstance(tasks, dict):
            raise Mistake(f"get_tasks gives {_kind_of(tasks)}, not a dict")
        return {str(name): task for name, task in tasks.items()}

    def task(self, name: str) -> Any:
        tasks = self.tasks()
        if name not in tasks:
            raise Mistake(f"there is no task {name!r}; there are {_few(list(tasks))}")
        return tasks[name]

    def permissions(self, task: Any) -> list[str]:
        given = self._call("get_permissions", task) if self.has("get_permissions") else []
        if not isinstance(given, list | tuple) or tuple(given) not in _PERMISSIONS:
            raise Mistake(f"get_permissions gives {given!r}; known are [] and [{FULL_INTERNET!r}]")
        return list(given)

    def instructions(self, task: Any) -> str:
        text = self._call("get_instructions", task) if self.has("get_instructions") else ""
        if not isinstance(text, str):
            raise Mistake(f"get_instructions gives {_kind_of(text)}, not text")
        return text

    def wants_machine(self, task: Any) -> bool:
        """Whether it needs a virtual machine beside the sandbox."""
        return self.has("get_aux_vm_spec") and self._call("get_aux_vm_spec", task) is not None

    def install(self) -> None:
        if self.has("install"):
            self._call("install")

    def start(self, task: Any) -> None:
        if self.has("start"):
            self._call("start", task)

    def teardown(self, task: Any) -> None:
        """Written with the task in the template, called without by every driver."""
        if not self.has("teardown"):
            return
        import inspect  # which takes long

        member = getattr(self._kind, "teardown")  # noqa: B009 - beside the others
        takes = inspect.signature(member).parameters
        self._call("teardown", *([task] if takes else []))

    @property
    def scores_between(self) -> bool:
        return self.has("intermediate_score")

    def intermediate(self, task: Any) -> dict[str, Any]:
        given = self._call("intermediate_score", task)
        if not isinstance(given, dict) or not given.keys() <= _INTERMEDIATE:
            raise Mistake(
                f"intermediate_score gives {_shown(given)}; it may hold score, message, details"
            )
        for key in ("message", "details"):
            if not isinstance(given.setdefault(key, {}), dict):
                raise Mistake(f"intermediate_score: {key} is {_kind_of(given[key])}, not a dict")
        return given

    def score(self, task: Any, submission: str, log: list[dict[str, Any]]) -> Any:
        """By ``aggregate_scores`` where there is one, over what was scored before."""
        if self.has("aggregate_scores"):
            return self._call("aggregate_scores", task, log)
        if self.has("score"):
            return self._call("score", task, submission)
        return None


def judged(value: Any) -> dict[str, Any]:
    """What a family's score is worth: ``kind``, with its ``value``, or the ``raw`` text of what is
    none and the ``reason``. By the table of the standard's drivers: never clamped, never a false 0.
    """
    if value is None:
        return {"kind": "manual"}
    if isinstance(value, bool) or not isinstance(value, int | float):
        return {
            "kind": "invalid", "raw": _shown(value),
            "reason": f"the score is {_kind_of(value)}, not a number",
        }  # fmt: skip
    if isinstance(value, float) and not math.isfinite(value):
        return {"kind": "invalid", "raw": repr(value), "reason": "the score is not finite"}
    try:
        return {"kind": "number", "value": float(value), "raw": _shown(value)}
    except OverflowError:
        return {"kind": "invalid", "raw": _shown(value), "reason": "the score is not finite"}


def environment_for(names: list[str]) -> dict[str, str]:
    """Exactly the variables named. Raises ``Mistake`` that names those that are not set."""
    missing = [name for name in names if name not in os.environ]
    if missing:
        raise Mistake(f"required variables are not set: {', '.join(missing)}")
    return {name: os.environ[name] for name in names}


def _kind_of(value: Any) -> str:
    return f"of type {type(value).__name__}"


def _shown(value: Any, most: int = 500) -> str:
    try:
        text = repr(value)
    except Exception as error:
        text = f"something whose repr raises {type(error).__name__}"
    return text if len(text) <= most else text[:most] + "…"


def _few(names: list[str], most: int = 8) -> str:
    shown = ", ".join(repr(name) for name in names[:most])
    return f"{shown} and {len(names) - most:,} more" if len(names) > most else shown or "none"
