"""All of it, or a part."""

from __future__ import annotations

import platform
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import psutil

from evalbox.bench.api import api
from evalbox.bench.batch import batch
from evalbox.bench.idle import idle
from evalbox.bench.queue import no_ops
from evalbox.bench.report import Figure
from evalbox.bench.sandboxes import starts, throughput
from evalbox.bench.screen import screen
from evalbox.config.settings import Settings
from evalbox.engines.registry import make_engine

PARTS = ("starts", "throughput", "queue", "batch", "idle", "api", "screen")


@dataclass(frozen=True, slots=True)
class Plan:
    """What is measured, and how often. ``quick`` takes about three minutes, the whole fifteen."""

    parts: tuple[str, ...] = PARTS
    engines: tuple[str, ...] = ("gvisor",)
    quick: bool = False


async def run(settings: Settings, plan: Plan, progress: Callable[[str], None]) -> list[Figure]:
    """Measures in a directory of its own, beside the data directory: on the same disk."""
    settings.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    figures: list[Figure] = []
    with tempfile.TemporaryDirectory(prefix="bench-", dir=settings.data_dir) as name:
        directory = Path(name)
        for engine_name in plan.engines:
            figures += await _sandboxes(settings, plan, engine_name, directory, progress)
        if "queue" in plan.parts:
            figures += await no_ops(
                settings,
                directory,
                depths=(10, 10_000) if plan.quick else (10, 10_000, 100_000),
                measured=3000 if plan.quick else 10_000,
                rounds=1 if plan.quick else 3,
                progress=progress,
            )
        if "batch" in plan.parts:
            figures += await batch(
                settings,
                directory,
                evaluations=1000,
                rounds=1 if plan.quick else 3,
                progress=progress,
            )
        if "idle" in plan.parts:
            progress("idle service")
            figures += await idle(directory, 10 if plan.quick else 30)
        if "api" in plan.parts:
            figures += await api(settings, directory, quick=plan.quick, progress=progress)
    if "screen" in plan.parts:
        figures += await screen(
            settings,
            directory,
            evaluations=10_000 if plan.quick else 100_000,
            starts=3 if plan.quick else 9,
            seconds=10 if plan.quick else 30,
            progress=progress,
        )
    return figures


async def _sandboxes(
    settings: Settings,
    plan: Plan,
    engine_name: str,
    directory: Path,
    progress: Callable[[str], None],
) -> list[Figure]:
    figures: list[Figure] = []
    engine = make_engine(engine_name, docker_host=settings.docker_host)
    try:
        if "starts" in plan.parts:
            progress(f"{engine_name}: warm and cold starts")
            figures += await starts(engine, settings.image, 5 if plan.quick else 15)
        if "throughput" in plan.parts:
            figures += await throughput(
                settings,
                engine,
                settings.image,
                directory / engine_name,
                slots=(2, 4) if plan.quick else (1, 2, 4, 8),
                jobs=12 if plan.quick else 24,
                rounds=1 if plan.quick else 3,
                progress=progress,
            )
    finally:
        await engine.close()
    return figures


def machine() -> dict[str, object]:
    """What the figures were measured on."""
    return {
        "kernel": platform.release(),
        "python": platform.python_version(),
        "cores": psutil.cpu_count(),
        "memory": psutil.virtual_memory().total,
    }
