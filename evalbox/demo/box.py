"""Opens the box of the demo."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random

from evalbox.config.settings import Settings
from evalbox.demo.clock import HurryingClock
from evalbox.demo.play import IMAGE, Play
from evalbox.domain.clock import SystemClock
from evalbox.engines.fake import FakeEngine
from evalbox.service.local import LocalBox

#: Seconds of the past that are played, and how much faster than they would pass.
PAST, PACE = 4_500.0, 1_500.0
SLOTS = 12


@asynccontextmanager
async def demo_box(
    directory: Path,
    *,
    seed: int = 1,
    past: float = PAST,
    on_progress: Callable[[float], None] | None = None,
) -> AsyncIterator[LocalBox]:
    """A box with a past, in which evaluations come and go; given once it has caught up with now.

    It has no other engine than the fake one. ``on_progress`` is told the share of the past that has
    been played, from 0 to 1.
    """
    clock = HurryingClock(SystemClock(), behind=past, pace=PACE)
    settings = Settings(
        data_dir=directory,
        engine="fake",
        slots=SLOTS,
        # What it plays burdens nothing, however busy this machine is.
        load_per_core=10_000.0,
        memory_percent=100.0,
        disk_free=0,
        cpu_overcommit=10_000.0,
        memory_overcommit=10_000.0,
    )
    engine = FakeEngine(clock=clock, sleep=clock.sleep)
    await engine.images.pull(IMAGE, lambda _: None)
    box = await LocalBox.open(settings, work=True, clock=clock, engines=[engine])
    # Nothing depends on its being hard to guess.
    random = Random(seed)  # noqa: S311
    playing = asyncio.create_task(Play(box, clock, random).run(), name="demo")
    try:
        await _caught_up(clock, playing, on_progress)
        yield box
    finally:
        playing.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await playing
        await box.close(drain=0)
        await engine.close()


async def _caught_up(
    clock: HurryingClock,
    playing: asyncio.Task[None],
    on_progress: Callable[[float], None] | None,
) -> None:
    waiting = asyncio.create_task(clock.caught_up(on_progress), name="demo-past")
    try:
        await asyncio.wait({waiting, playing}, return_when=asyncio.FIRST_COMPLETED)
        if playing.done():
            await playing
    finally:
        waiting.cancel()
