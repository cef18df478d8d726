"""Which directories are families, and what a path of a user's means of them."""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from evalbox.domain.limits import MIB
from evalbox.errors import InvalidInput
from evalbox.tasks.base import Description, head
from evalbox.tasks.summary import summary_of

KIND = "task-standard"
_LANGUAGE = "python"
_CLASS = re.compile(rb"\bTaskFamily\b")
_MODULE = 1 * MIB
_HEAD = 4096


@dataclass(frozen=True, slots=True)
class Place:
    """What a path means: a family's ``directory``, and one ``task`` of it or all."""

    directory: Path
    family: str
    task: str | None = None


class FamilyFormat:
    """For the catalogue; what it makes of a family is asked for in more words than a path."""

    @property
    def kind(self) -> str:
        return KIND

    def recognises(self, path: Path) -> bool:
        return path.is_dir()

    def describe(self, path: Path) -> Description | None:
        name = _name(path)
        if not _is_family(path, name):
            return None
        source = head(path / f"{name}.py", _HEAD)
        return Description(_LANGUAGE, summary_of(source.decode("utf-8", "replace")))


def find(path: Path, *, certain: bool = False) -> Place | None:
    """The family at ``path``, or the one with a task of that name; None where it is neither.

    ``certain``: it can be nothing else, so that a file of the name of a task is not meant.
    """
    try:
        if path.is_dir() and _is_family(path, name := _name(path)):
            return Place(path, name)
        above = path.parent
        if not path.name or (path.is_file() and not certain):
            return None
        if _is_family(above, name := _name(above)):
            return Place(above, name, path.name)
    except (OSError, ValueError):
        pass
    return None


def near(path: Path) -> str:
    """What may have been meant by ``path``, in words of a hint; empty where nothing is like it."""
    for wanted, task in ((path, ""), (path.parent, path.name)):
        known = {one.name: one for one in _families(wanted.parent)}
        for name in difflib.get_close_matches(wanted.name, known, n=1, cutoff=0.6):
            return f"is it {known[name] / task}?"
    return ""


def no_family(path: Path) -> InvalidInput:
    name = path.name or "NAME"
    return InvalidInput(
        f"{path}: is no task family",
        hint=near(path) or f"a family is a directory with {name}.py, with a class TaskFamily",
        field="path",
    )


def _is_family(directory: Path, name: str) -> bool:
    return _CLASS.search(head(directory / f"{name}.py", _MODULE)) is not None


def _name(directory: Path) -> str:
    named = directory.name
    return directory.resolve().name if named in ("", ".", "..") else named


def _families(directory: Path, most: int = 2000) -> Iterator[Path]:
    try:
        with os.scandir(directory) as entries:
            found = [Path(entry.path) for entry, _ in zip(entries, range(most), strict=False)]
    except (OSError, ValueError):
        return
    for path in found:
        if path.is_dir() and _is_family(path, path.name):
            yield path
