"""Which tasks a pattern means: scripts, families, and tasks of families."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from evalbox.batches.file import TaskEntry
from evalbox.tasks.script import ScriptFormat
from evalbox.tasks.standard.format import find, near

MOST_TASKS = 10_000
_SCRIPTS = ScriptFormat()


@dataclass(frozen=True, slots=True)
class Found:
    """A script, or a family with patterns of its tasks (none: all); without a path a command."""

    path: Path | None
    family: bool = False
    tasks: tuple[str, ...] = ()


def match(entry: TaskEntry) -> list[Found]:
    """In the order of their names. Raises ``InvalidInput`` that names the line for none."""
    if entry.path is None:
        return [Found(None)]
    found = list(_match(entry, entry.path))
    if not found:
        wild = glob.has_magic(entry.path)
        what = "nothing that can be run is like this" if wild else "no such task"
        hint = near(Path(entry.path)) or "paths are those from the batch file's directory"
        raise entry.node.wrong(f"{what}: {entry.path}", hint=hint)
    if len(found) > MOST_TASKS:
        raise entry.node.wrong(f"is {len(found):,} tasks", hint=f"at most {MOST_TASKS:,}")
    return found


def _match(entry: TaskEntry, pattern: str) -> Iterator[Found]:
    if not glob.has_magic(pattern):
        path = Path(pattern)
        if find(path) is not None:
            yield Found(path, family=True, tasks=entry.tasks)
        elif os.path.isfile(path):  # noqa: PTH113 - of a path that no system takes, it says no
            yield Found(path)
        return
    above, last = os.path.split(pattern.rstrip("/"))
    # What is in a family's directory are its tasks, not the files there.
    for directory in _paths(above):
        if _is_family(directory):
            if entry.tasks:
                raise entry.node.wrong("the path chooses tasks of a family, and so does tasks")
            yield Found(directory, family=True, tasks=(last,))
    paths = _paths(pattern)
    families = {path for path in paths if _is_family(path)}
    for path in paths:
        if path in families:
            yield Found(path, family=True, tasks=entry.tasks)
        elif _is_script(path) and not _is_family(path.parent) and families.isdisjoint(path.parents):
            yield Found(path)


def _is_family(path: Path) -> bool:
    place = find(path)
    return place is not None and place.task is None


def _paths(pattern: str) -> list[Path]:
    if not glob.has_magic(pattern):
        return [Path(pattern)] if pattern else []
    return sorted(Path(one) for one in glob.iglob(pattern, recursive=True))  # noqa: PTH207


def _is_script(path: Path) -> bool:
    return path.is_file() and not path.is_symlink() and _SCRIPTS.describe(path) is not None
