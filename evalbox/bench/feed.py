"""What a thousand readers of the feed cost the service, and how late they hear."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

from evalbox.bench.readers import Found, Kind, Task, follow, percentile
from evalbox.bench.report import Figure, Goal
from evalbox.bench.service import Service, running
from evalbox.config.settings import Settings
from evalbox.domain.evaluation import EvaluationSpec
from evalbox.errors import EvalboxError

#: Events a second, and how many are made by one request.
RATE, _AT_ONCE = 50, 5
#: Seconds for a reader's process to start, readers that connect in one, and seconds for the last
#: event to arrive.
_START, _CONNECTED, _ARRIVE = 3.0, 60, 2.0


@dataclass(frozen=True, slots=True)
class _Round:
    cores: float
    found: Found


async def feed(
    settings: Settings,
    directory: Path,
    *,
    readers: int,
    measured: float,
    progress: Callable[[str], None],
) -> list[Figure]:
    """Over TCP, as from elsewhere, with a queue that is paused: what costs is the feed."""
    figures = []
    async with running(directory / "feed", settings, {}) as service:
        await service.box.pause()
        idle = await _round(service, settings, "sse", 0, measured)
        figures.append(Figure(f"{RATE} events/s, no reader: processor", idle.cores, "cores"))
        for kind in ("sse", "websocket"):
            progress(f"feed: {readers:,} readers, {kind}")
            busy = await _round(service, settings, kind, readers, measured)
            name = f"{RATE} events/s, {readers:,} readers, {kind}: "
            figures += [
                Figure(name + "processor", busy.cores, "cores", goal=Goal("<=", 0.5)),
                Figure(
                    name + "lag p50", percentile(busy.found.lags, 0.5) * 1000, "ms",
                    len(busy.found.lags),
                ),
                Figure(
                    name + "lag p99", percentile(busy.found.lags, 0.99) * 1000, "ms",
                    len(busy.found.lags), Goal("<=", 250),
                ),
            ]  # fmt: skip
    return figures


async def _round(
    service: Service, settings: Settings, kind: Kind, readers: int, measured: float
) -> _Round:
    after = await service.box.last_seq()
    begin = time.time() + _START + readers / _CONNECTED
    until = begin + measured + _ARRIVE
    task = Task(kind, readers, after, until, port=service.port, key=service.key)
    loop = asyncio.get_running_loop()
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        following = loop.run_in_executor(pool, follow, task)
        await asyncio.wait((following,), timeout=max(0.0, begin - time.time()))
        if following.done():
            following.result()
        before, began = service.processor_seconds(), time.perf_counter()
        made = await _make_events(service, settings, measured)
        cores = (service.processor_seconds() - before) / (time.perf_counter() - began)
        found = await following
    if found.disordered or any(count != made for count in found.events):
        raise EvalboxError(f"of {made} events, readers got {min(found.events)} and more")
    return _Round(cores, found)


async def _make_events(service: Service, settings: Settings, measured: float) -> int:
    """At the fixed rate; gives how many."""
    spec = EvaluationSpec(
        name="bench", command=("true",), image=settings.image, engine=settings.engine
    )
    began, count = time.perf_counter(), 0
    while (due := count / RATE) < measured:
        await asyncio.sleep(max(0.0, began + due - time.perf_counter()))
        await service.box.submit([spec] * _AT_ONCE)
        count += _AT_ONCE
    return count
