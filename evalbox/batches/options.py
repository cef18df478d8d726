"""What a batch file may say of how its evaluations are run, in the words of ``evalbox run``."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from evalbox.domain.paths import expanded
from evalbox.tasks.strict import Node

_LIMITS = {"cpus": "cpus", "memory": "memory", "timeout": "timeout", "disk": "disk",
           "pids": "pids", "output": "output_limit"}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Options:
    """``given`` are fields of a ``Request``, and ``nodes`` where each of them stands in the file.

    ``env`` is in ``given`` as the file has it: values of its own are no secrets.
    """

    given: Mapping[str, Any] = field(default_factory=dict)
    nodes: Mapping[str, Node] = field(default_factory=dict)

    def over(self, others: Options) -> Options:
        """These, and of ``others`` what they do not say; of lists, both."""
        merged = dict(others.given)
        for name, value in self.given.items():
            known = merged.get(name)
            merged[name] = (*known, *value) if isinstance(known, tuple) else value
        return Options(merged, {**others.nodes, **self.nodes})

    def without(self, *names: str) -> Options:
        return Options({k: v for k, v in self.given.items() if k not in names}, self.nodes)


def read_options(keys: Mapping[str, Node], base: Path) -> Options:
    """Of the keys those that are options. Files are named as from ``base``.

    Raises ``InvalidInput`` that names the line.
    """
    given: dict[str, Any] = {}
    nodes: dict[str, Node] = {}
    for key, node in keys.items():
        if key not in _READERS:
            continue
        for name, value, where in _READERS[key](node, base):
            given[name] = value
            nodes[name] = where
    return Options(given, nodes)


def beside(base: Path, text: str) -> str:
    """``text`` as a path from ``base``, unless it is absolute."""
    return str(base / expanded(text)) if text else text


Found = Iterator[tuple[str, Any, Node]]


def _text(name: str) -> Callable[[Node, Path], Found]:
    def read(node: Node, _base: Path) -> Found:
        yield name, node.text(), node

    return read


def _file(name: str) -> Callable[[Node, Path], Found]:
    def read(node: Node, base: Path) -> Found:
        yield name, beside(base, node.text()), node

    return read


def _list(name: str, *, files: bool = False) -> Callable[[Node, Path], Found]:
    def read(node: Node, base: Path) -> Found:
        texts = [item.text() for item in node.items()]
        yield name, tuple(beside(base, text) if files else text for text in texts), node

    return read


def _pairs(name: str) -> Callable[[Node, Path], Found]:
    """A mapping, as ``KEY=VALUE``; where the value is left out, the key alone."""

    def read(node: Node, _base: Path) -> Found:
        pairs = node.mapping().items()
        yield name, tuple(k if v.is_nothing else f"{k}={v.text()}" for k, v in pairs), node

    return read


def _limits(node: Node, _base: Path) -> Found:
    for key, value in node.mapping(_LIMITS).items():
        yield _LIMITS[key], value.text(), value


_READERS: Mapping[str, Callable[[Node, Path], Found]] = {
    "image": _text("image"),
    "engine": _text("engine"),
    "user": _text("user"),
    "network": _text("network"),
    "limits": _limits,
    "priority": _text("priority"),
    "retries": _text("retries"),
    "env": _pairs("env"),
    "env_file": _list("env_file", files=True),
    "secrets": _file("secrets"),
    "files": _list("file", files=True),
    "stdin": _file("stdin"),
    "artifacts": _list("artifact"),
    "score": _text("score"),
    "deadlines": _pairs("deadline"),
}
OPTIONS = frozenset(_READERS)
