"""What of this machine evalbox needs, each thing tried, with the remedy where it fails."""

from __future__ import annotations

import asyncio
import os
import platform
import shutil
import sys
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import psutil

from evalbox.config.settings import Settings
from evalbox.domain.check import Check
from evalbox.domain.limits import GIB, MIB
from evalbox.domain.quantity import format_size
from evalbox.engines.base import Engine
from evalbox.engines.registry import make_engine
from evalbox.errors import EvalboxError, ImageNotFound
from evalbox.store.lock import DataDirectoryLock
from evalbox.store.sqlite import sqlite_version

__all__ = ["Check", "diagnose"]

_MEMORY_NEEDED = 1 * GIB
#: What engines say of the Docker that they have in common.
_SHARED = {"docker": "docker", "cgroups": "docker: cgroups", "weight": "docker: weight"}
#: Before this the clock has certainly not been set.
_RELEASED = 1_750_000_000.0


async def diagnose(
    settings: Settings, *, engines: Sequence[str] = ("gvisor", "runc")
) -> AsyncIterator[Check]:
    """Every check, as soon as it is known."""
    for check in _machine():
        yield check
    yield await asyncio.to_thread(_data_directory, settings.data_dir)
    yield await asyncio.to_thread(_disk, settings)
    told: set[tuple[str, str]] = set()
    for name in engines:
        async for check in _engine(settings, name):
            # Engines that share a Docker say the same of it.
            if (check.name, check.detail) not in told:
                told.add((check.name, check.detail))
                yield check


async def _engine(settings: Settings, name: str) -> AsyncIterator[Check]:
    needed = name == settings.engine
    engine = make_engine(name, docker_host=settings.docker_host)
    try:
        image = await _image(engine, settings.image)
        if image is not None:
            yield image
        usable = image is not None and image.level == "ok"
        for check in await engine.check(settings.image if usable else None):
            # What is not used by default is worth a warning only.
            level = "warning" if check.level == "failure" and not needed else check.level
            yield replace(check, name=_name(name, check.name), level=level)
    except EvalboxError as error:
        yield Check(
            f"{name}: engine", "failure" if needed else "warning", error.message, error.hint
        )
    finally:
        await engine.close()


async def _image(engine: Engine, reference: str) -> Check | None:
    """None where the engine does not answer, which its own checks tell."""
    try:
        image = await engine.image(reference)
    except ImageNotFound as error:
        return Check("image", "failure", error.message, error.hint)
    except EvalboxError:
        return None
    size = f", {format_size(image.size)}" if image.size else ""
    return Check("image", "ok", f"{reference}, {image.digest.rpartition('@')[2][:19]}{size}")


def _name(engine: str, check: str) -> str:
    if check in _SHARED:
        return _SHARED[check]
    return check if engine in check else f"{engine}: {check}"


def _machine() -> Iterator[Check]:
    yield _python()
    yield Check("sqlite", "ok", sqlite_version())
    yield _kernel()
    yield _cgroups()
    yield _memory()
    yield _clock()


def _python() -> Check:
    version = platform.python_version()
    return Check("python", "ok", f"{version} at {sys.executable}")


def _kernel() -> Check:
    system = platform.system()
    if system != "Linux":
        return Check("kernel", "failure", f"{system}: not Linux", "run evalbox on Linux")
    return Check("kernel", "ok", f"{platform.release()} {platform.machine()}")


def _cgroups() -> Check:
    root = Path("/sys/fs/cgroup")
    if (root / "cgroup.controllers").exists():
        controllers = (root / "cgroup.controllers").read_text().split()
        missing = {"cpu", "memory", "pids"} - set(controllers)
        if missing:
            listed = ", ".join(sorted(missing))
            remedy = "start the kernel without cgroup_disable"
            return Check("cgroups", "failure", f"version 2 without {listed}", remedy)
        return Check("cgroups", "ok", "version 2")
    missing = {name for name in ("cpu", "memory", "pids") if not (root / name).is_dir()}
    if missing:
        listed = ", ".join(sorted(missing))
        remedy = "mount the cgroup file systems, as systemd or cgroupfs-mount do"
        return Check("cgroups", "failure", f"no controller for {listed}", remedy)
    return Check("cgroups", "ok", "version 1")


def _memory() -> Check:
    memory = psutil.virtual_memory()
    detail = f"{format_size(memory.available)} of {format_size(memory.total)} available"
    if memory.available < _MEMORY_NEEDED:
        return Check("memory", "warning", detail, "close other programs, or give lower limits")
    return Check("memory", "ok", detail)


def _clock() -> Check:
    now = time.time()
    shown = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(now))
    if now < _RELEASED:
        return Check("clock", "failure", f"{shown} is past", "set the clock, best by NTP")
    return Check("clock", "ok", shown)


def _data_directory(directory: Path) -> Check:
    nearest = directory
    while not nearest.exists() and nearest != nearest.parent:
        nearest = nearest.parent
    if not nearest.is_dir():
        remedy = "move it away, or set another with --data-dir"
        return Check("data directory", "failure", f"{nearest} is not a directory", remedy)
    if not os.access(nearest, os.W_OK | os.X_OK):
        remedy = "make it yours, or set another with --data-dir"
        return Check("data directory", "failure", f"{nearest} cannot be written", remedy)
    if nearest != directory:
        return Check("data directory", "ok", f"{directory}, to be made at the first use")
    holder = DataDirectoryLock(directory).holder()
    who = f"process {holder} runs its queue" if holder else "no process runs its queue"
    return Check("data directory", "ok", f"{directory}; {who}")


def _disk(settings: Settings) -> Check:
    nearest = settings.data_dir
    while not nearest.exists():
        nearest = nearest.parent
    free = shutil.disk_usage(nearest).free
    detail = f"{format_size(free)} free for {settings.data_dir}"
    if free < settings.disk_free:
        needed = format_size(settings.disk_free)
        return Check(
            "disk", "failure", f"{detail}; nothing starts below {needed}", "free some space"
        )
    if free < settings.disk_free + 512 * MIB:
        return Check("disk", "warning", detail, "free some space")
    return Check("disk", "ok", detail)
