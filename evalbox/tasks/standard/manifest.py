"""``manifest.yaml``: what a family says of its tasks beside its code. Keys are strict."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from evalbox.domain.limits import BOUNDS, GIB
from evalbox.tasks.strict import Node, read_yaml

NAME = "manifest.yaml"

_TOP = ("tasks", "meta", "version")
_TASK = ("version", "resources", "scoring", "meta")
_RESOURCES = ("gpu", "cpus", "memory_gb", "storage_gb")
_GPU = ("count_range", "model")
_SCORING = ("visible_to_agent", "score_on_usage_limits", "instructions")
_MOST_GPUS = 1024


@dataclass(frozen=True, slots=True)
class Gpus:
    """At least and at most so many; ``model`` is empty for any."""

    least: int
    most: int
    model: str = ""

    def __str__(self) -> str:
        number = str(self.least) if self.least == self.most else f"{self.least} to {self.most}"
        return f"{number} GPU{'' if self.most == 1 else 's'}" + (
            f" ({self.model})" if self.model else ""
        )


@dataclass(frozen=True, slots=True)
class TaskManifest:
    """``resources`` are limits by name, in evalbox's units.

    ``visible``: the agent is told its scores. ``score_on_limits``: it is scored also where it ran
    out of time.
    """

    resources: Mapping[str, float | int] = field(default_factory=dict)
    gpus: Gpus | None = None
    visible: bool = True
    score_on_limits: bool = False
    version: str = ""


@dataclass(frozen=True, slots=True)
class Manifest:
    """What is not listed is as nothing were said of it."""

    tasks: Mapping[str, TaskManifest] = field(default_factory=dict)
    version: str = ""

    def of(self, task: str) -> TaskManifest:
        return self.tasks.get(task) or TaskManifest()


def read_manifest(source: bytes, origin: str) -> Manifest:
    """Raises ``InvalidInput`` that names the line."""
    top = read_yaml(source, origin)
    if top is None:
        return Manifest()
    keys = top.mapping(_TOP)
    tasks = keys["tasks"].mapping() if "tasks" in keys else {}
    return Manifest({name: _task(node) for name, node in tasks.items()}, _version(keys))


def _task(node: Node) -> TaskManifest:
    keys = node.mapping(_TASK)
    resources = keys["resources"].mapping(_RESOURCES) if "resources" in keys else {}
    scoring = keys["scoring"].mapping(_SCORING) if "scoring" in keys else {}
    flags: dict[str, Any] = {
        name: scoring[key].flag()
        for key, name in (
            ("visible_to_agent", "visible"),
            ("score_on_usage_limits", "score_on_limits"),
        )
        if key in scoring
    }
    return TaskManifest(
        resources=_limits(resources),
        gpus=_gpus(resources["gpu"]) if "gpu" in resources else None,
        version=_version(keys),
        **flags,
    )


def _limits(resources: Mapping[str, Node]) -> dict[str, float | int]:
    found: dict[str, float | int] = {}
    if "cpus" in resources:
        low, high, _ = BOUNDS["cpus"]
        found["cpus"] = resources["cpus"].number(low=low, high=high)
    for key, limit in (("memory_gb", "memory"), ("storage_gb", "disk")):
        if key in resources:
            low, high, _ = BOUNDS[limit]
            found[limit] = int(resources[key].number(low=low / GIB, high=high / GIB) * GIB)
    return found


def _gpus(node: Node) -> Gpus | None:
    keys = node.mapping(_GPU)
    least = most = 1
    if "count_range" in keys:
        counts = keys["count_range"].items()
        if len(counts) != 2:
            raise keys["count_range"].wrong("is to be a list of two: the least and the most")
        least, most = (one.whole(low=0, high=_MOST_GPUS) for one in counts)
        if least > most:
            raise keys["count_range"].wrong("the least is more than the most")
    return Gpus(least, most, keys["model"].text() if "model" in keys else "") if most else None


def _version(keys: Mapping[str, Node]) -> str:
    return keys["version"].text() if "version" in keys else ""
