"""What a sandbox leaves on the host: its container, processes, mounts, files and network."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import psutil
from docker import APIClient

from evalbox.engines.base import LABEL_BOX

#: Where Docker, containerd and the runtimes keep what names a container.
_PLACES = (
    "containers",
    "image/overlay2/layerdb/mounts",
    "containerd/daemon/io.containerd.runtime.v2.task/moby",
)
_RUN_PLACES = (
    "/run/docker/containerd",
    "/run/docker/containerd/daemon/io.containerd.runtime.v2.task/moby",
    "/run/docker/runtime-runc/moby",
    "/run/containerd/io.containerd.runtime.v2.task/moby",
)
_CGROUPS = Path("/sys/fs/cgroup")


@cache
def docker() -> APIClient:
    return APIClient(version="auto", timeout=60)


@cache
def docker_root() -> Path:
    return Path(docker().info()["DockerRootDir"])


@dataclass(frozen=True, slots=True)
class Sandbox:
    """One sandbox; ``layer`` is the name of its writable layer, empty where it was not seen."""

    id: str
    layer: str

    @classmethod
    def seen(cls, sandbox_id: str) -> Sandbox:
        """Looks at it while it is there."""
        layer = ""
        with suppress(OSError):
            place = docker_root() / "image/overlay2/layerdb/mounts" / sandbox_id
            layer = (place / "mount-id").read_text().strip()
        return cls(sandbox_id, layer)

    def left(self) -> list[str]:
        """Every trace of it that is there now, in words."""
        return [*self._processes(), *self._mounts(), *self._files(), *self._cgroups()]

    def _processes(self) -> Iterator[str]:
        for process in serving(self.id):
            with suppress(psutil.Error):
                yield f"process {process.pid} {process.name()} ({process.status()})"

    def _mounts(self) -> Iterator[str]:
        names = [name for name in (self.id, self.layer) if name]
        for line in Path("/proc/self/mountinfo").read_text().splitlines():
            if any(name in line for name in names):
                yield f"mount {line.split()[4]}"

    def _files(self) -> Iterator[str]:
        places = [docker_root() / place for place in _PLACES] + [Path(p) for p in _RUN_PLACES]
        for place in places:
            yield from (f"file {path}" for path in _entries(place) if self.id in path.name)
        if self.layer:
            layer = docker_root() / "overlay2" / self.layer
            if layer.exists():
                yield f"layer {layer}"

    def _cgroups(self) -> Iterator[str]:
        for group in (_CGROUPS, *_CGROUPS.glob("*/")):
            if (group / "docker" / self.id).exists():
                yield f"control group {group / 'docker' / self.id}"


def serving(sandbox_id: str) -> Iterator[psutil.Process]:
    """Every process of the host that serves the sandbox, zombies included."""
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            if any(sandbox_id in word for word in process.cmdline()):
                yield process


def containers(box_id: str) -> set[str]:
    """The containers with the box's label, running or not."""
    label = {"label": f"{LABEL_BOX}={box_id}"}
    return {item["Id"] for item in docker().containers(all=True, filters=label)}


def half_written(directories: Iterable[Path]) -> list[Path]:
    """Files that stand beside what they were to become."""
    return [path for directory in directories for path in directory.rglob("*.part")]


def _entries(place: Path) -> list[Path]:
    try:
        return list(place.iterdir())
    except OSError:
        return []
