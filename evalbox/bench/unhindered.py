"""A box on the engine that does nothing, which nothing but evalbox itself holds up."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

from evalbox.config.settings import Settings
from evalbox.engines.fake import FakeEngine
from evalbox.service.local import LocalBox

#: How many evaluations it runs at once.
SLOTS = 64


@asynccontextmanager
async def unhindered_box(settings: Settings, directory: Path) -> AsyncIterator[LocalBox]:
    """It works in ``directory``, whatever this machine is busy with, and is left at once."""
    chosen = replace(
        settings,
        data_dir=directory,
        engine="fake",
        slots=SLOTS,
        memory_percent=100,
        load_per_core=1000,
        cpu_overcommit=1000,
        memory_overcommit=1000,
    )
    box = await LocalBox.open(chosen, work=True, engines=[FakeEngine()])
    try:
        yield box
    finally:
        await box.close(drain=0)
