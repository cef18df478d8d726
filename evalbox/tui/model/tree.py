"""Artifacts as a tree of directories."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from evalbox.domain.records import ArtifactRecord


class Leaf(NamedTuple):
    """A directory or a file, ``depth`` directories down. ``record`` is None for a directory.

    ``size`` is in bytes, and a directory's the sum of what is in it; ``files`` counts those.
    """

    path: str
    name: str
    depth: int
    size: int
    files: int = 1
    record: ArtifactRecord | None = None
    opened: bool = False


@dataclass(slots=True)
class _Directory:
    path: str
    directories: dict[str, _Directory] = field(default_factory=dict)
    records: dict[str, ArtifactRecord] = field(default_factory=dict)
    size: int = 0
    files: int = 0


def tree(records: Sequence[ArtifactRecord], closed: Collection[str]) -> list[Leaf]:
    """What is seen: directories first, each by name; of those ``closed``, nothing beneath."""
    root = _Directory("")
    for record in records:
        _insert(root, record)
    return list(_walk(root, closed, 0))


def _insert(root: _Directory, record: ArtifactRecord) -> None:
    *above, name = _parts(record.path)
    here = root
    _count(here, record)
    for part in above:
        path = f"{here.path}/{part}" if here.path not in ("", "/") else f"{here.path}{part}"
        here = here.directories.setdefault(part, _Directory(path))
        _count(here, record)
    here.records[name] = record


def _parts(path: str) -> list[str]:
    """Its names, with the root as one of them; a path that is none is a name."""
    parts = [part for part in path.split("/") if part]
    return ["/", *parts] if path.startswith("/") and parts else parts or [path]


def _count(directory: _Directory, record: ArtifactRecord) -> None:
    if record.kind == "file":
        directory.size += record.size
        directory.files += 1


def _walk(directory: _Directory, closed: Collection[str], depth: int) -> Iterator[Leaf]:
    for name, inner in sorted(directory.directories.items()):
        opened = inner.path not in closed
        yield Leaf(inner.path, name, depth, inner.size, inner.files, opened=opened)
        if opened:
            yield from _walk(inner, closed, depth + 1)
    for name, record in sorted(directory.records.items()):
        yield Leaf(record.path, name, depth, record.size, record=record)
