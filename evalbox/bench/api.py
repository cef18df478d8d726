"""The box as a service: its API under load, its feed with many readers, its lists when long."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from evalbox.bench.feed import feed
from evalbox.bench.lists import lists
from evalbox.bench.load import load
from evalbox.bench.report import Figure
from evalbox.config.settings import Settings


async def api(
    settings: Settings, directory: Path, *, quick: bool, progress: Callable[[str], None]
) -> list[Figure]:
    """Each part with a service of its own; both it and its clients are other processes."""
    return [
        *await load(
            settings,
            directory,
            count=10 if quick else 100,
            measured=10 if quick else 60,
            progress=progress,
        ),
        *await feed(
            settings,
            directory,
            readers=200 if quick else 1000,
            measured=5 if quick else 20,
            progress=progress,
        ),
        *await lists(
            settings,
            directory,
            evaluations=10_000 if quick else 100_000,
            pages=50 if quick else 300,
            progress=progress,
        ),
    ]
