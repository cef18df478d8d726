"""An agent that is a program: a file, or a directory with one in it.

Of a directory the program is what ``agent.yaml`` says (``command``, and a ``name`` for people), or
else the executable file ``agent``, or ``main.py``, or ``main.sh``.
"""

from __future__ import annotations

import os
from collections.abc import Collection
from pathlib import Path

from evalbox.agents.base import DIRECTORY, Agent
from evalbox.errors import InvalidInput
from evalbox.tasks.base import TaskFile, read_bytes
from evalbox.tasks.inputs import directory_files
from evalbox.tasks.registry import read_task
from evalbox.tasks.standard.bundle import LEFT_OUT
from evalbox.tasks.strict import MAX_SOURCE, read_yaml

MANIFEST = "agent.yaml"
_KEYS = ("name", "command")
#: What is run where there is no manifest, and how.
_PROGRAMS = (("agent", ()), ("main.py", ("python3",)), ("main.sh", ("/bin/bash",)))


def file_agent(path: Path) -> Agent:
    """A script of its own, in a language that is known by its name or its ``#!`` line."""
    task = read_task(path)
    (source,) = task.files
    moved = f"{DIRECTORY}/{source.path.rpartition('/')[2]}"
    argv = [moved if word == source.path else word for word in task.command]
    sent = TaskFile(moved, source.content, source.mode)
    return Agent(path.stem or path.name, {"kind": "command", "argv": argv}, (sent,))


def directory_agent(path: Path) -> Agent:
    """Raises ``InvalidInput`` and ``FileMissing``."""
    files = directory_files(path, DIRECTORY, left_out=LEFT_OUT)
    name = path.resolve().name
    argv: list[str] | None = None
    if (path / MANIFEST).is_file():
        name, argv = _manifest(path / MANIFEST, name)
    if argv is None:
        argv = _program(path, {file.path for file in files})
    return Agent(name, {"kind": "command", "argv": argv}, files)


def _manifest(path: Path, name: str) -> tuple[str, list[str] | None]:
    top = read_yaml(read_bytes(path, limit=MAX_SOURCE), str(path))
    keys = {} if top is None else top.mapping(_KEYS)
    if "name" in keys:
        name = keys["name"].text()
    if "command" not in keys:
        return name, None
    line = keys["command"].text()
    # From its own directory, wherever the agent works.
    return name, ["/bin/bash", "-lc", f"export AGENT_DIR={DIRECTORY}; {line}"]


def _program(path: Path, sent: Collection[str]) -> list[str]:
    for name, interpreter in _PROGRAMS:
        place = f"{DIRECTORY}/{name}"
        if place in sent and (interpreter or os.access(path / name, os.X_OK)):
            return [*interpreter, place]
    raise InvalidInput(
        f"{path}: has no program for an agent",
        hint=f"put main.py, main.sh, an executable file agent or {MANIFEST} into it",
        field="agent",
    )
