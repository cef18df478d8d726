"""``build_steps.json``: what is done to a family's image before its ``install``."""

from __future__ import annotations

import json
import posixpath
from typing import Any

from evalbox.errors import InvalidInput

NAME = "build_steps.json"
#: Where the family lies, which is what relative destinations are beneath.
ROOT = "/root"

_KEYS = {"file": {"type", "source", "destination"}, "shell": {"type", "commands"}}
_MOST_STEPS = 1000


def read_steps(source: bytes, origin: str) -> tuple[dict[str, Any], ...]:
    """The steps as the driver takes them. Raises ``InvalidInput`` that names the step."""
    try:
        steps = json.loads(source)
    except UnicodeDecodeError:
        raise InvalidInput(f"{origin}: is not UTF-8 text") from None
    except json.JSONDecodeError as error:
        raise InvalidInput(f"{origin}, line {error.lineno}: is no JSON: {error.msg}") from None
    except RecursionError:
        raise InvalidInput(f"{origin}: is nested too deeply") from None
    if not isinstance(steps, list):
        raise InvalidInput(f"{origin}: is to be a list of steps")
    if len(steps) > _MOST_STEPS:
        raise InvalidInput(f"{origin}: has more than {_MOST_STEPS} steps")
    return tuple(_step(step, f"{origin}: step {at}") for at, step in enumerate(steps, start=1))


def _step(step: Any, where: str) -> dict[str, Any]:
    if not isinstance(step, dict) or step.get("type") not in ("file", "shell"):
        raise InvalidInput(f'{where}: is to have a "type", which is "file" or "shell"')
    known = _KEYS[step["type"]]
    for key in step.keys() - known:
        raise InvalidInput(f"{where}: unknown key {key!r}", hint=f"known: {_listed(known)}")
    for key in sorted(known - step.keys()):
        raise InvalidInput(f"{where}: has no {key}", hint=f"it is to have: {_listed(known)}")
    if step["type"] == "shell":
        return {"type": "shell", "commands": _commands(step["commands"], where)}
    return {
        "type": "file",
        "source": _source(_path(step["source"], f"{where}: source"), where),
        "destination": _destination(_path(step["destination"], f"{where}: destination")),
    }


def _commands(commands: Any, where: str) -> list[str]:
    if not isinstance(commands, list) or not commands:
        raise InvalidInput(f"{where}: commands is to be a list of shell commands")
    for command in commands:
        if not isinstance(command, str) or "\0" in command:
            raise InvalidInput(f"{where}: {command!r:.60} is no command")
    return commands


def _path(path: Any, where: str) -> str:
    if not isinstance(path, str) or not path or "\0" in path:
        raise InvalidInput(f"{where}: {path!r:.60} is no path")
    return path


def _source(path: str, where: str) -> str:
    """By its words; where links lead is looked at in the sandbox, where they lead anywhere."""
    inside = posixpath.normpath(posixpath.join(ROOT, path.lstrip("/")))
    if path.startswith("/") or not f"{inside}/".startswith(f"{ROOT}/"):
        raise InvalidInput(
            f"{where}: source {path!r} is outside of the family",
            hint="give a path beneath the family's directory",
        )
    return path


def _destination(path: str) -> str:
    """Absolute; a slash at the end, which makes a directory of it, stays."""
    absolute = posixpath.normpath(posixpath.join(ROOT, path))
    return f"{absolute}/" if path.endswith(("/", "/.")) and absolute != "/" else absolute


def _listed(keys: set[str]) -> str:
    return ", ".join(sorted(keys))
