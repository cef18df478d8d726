"""How fast sandboxes start, and how many a second the machine makes."""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from evalbox.bench.bare import BareLoop
from evalbox.bench.report import Figure, Goal
from evalbox.config.settings import Settings
from evalbox.domain.evaluation import EvaluationSpec
from evalbox.domain.outcome import Outcome
from evalbox.engines.base import LABEL_BOX, Engine, Launch, Profile
from evalbox.errors import EngineError
from evalbox.service.local import LocalBox

COMMAND = ("python3", "-c", "print(1)")
_LABELS = {LABEL_BOX: "bench"}
#: Seconds that a sandbox waits for its command in the measurement of a warm start.
_SETTLE = 1.0


async def starts(engine: Engine, image: str, rounds: int) -> list[Figure]:
    """Warm and cold start to the first byte of output, in turn."""
    profile = Profile(image=(await engine.image(image)).id)
    warm, cold = [], []
    for _ in range(rounds):
        cold.append(await _start(engine, profile, settle=None))
        warm.append(await _start(engine, profile, settle=_SETTLE))
    warm_ms, cold_ms = statistics.median(warm) * 1000, statistics.median(cold) * 1000
    gvisor = engine.name == "gvisor"
    name = f"{engine.name}: "
    return [
        Figure(
            name + "warm start to first output", warm_ms, "ms", rounds,
            Goal("<=", 100) if gvisor else None,
        ),
        Figure(name + "cold start to first output", cold_ms, "ms", rounds),
        Figure(
            name + "warm / cold", warm_ms / cold_ms, "", rounds,
            Goal("<=", 0.25) if gvisor else None,
        ),
    ]  # fmt: skip


async def _start(engine: Engine, profile: Profile, *, settle: float | None) -> float:
    """Seconds to the first output; with ``settle`` the sandbox was there that long before."""
    began = time.perf_counter()
    sandbox = await engine.create(profile, labels=_LABELS)
    try:
        if settle is not None:
            await asyncio.sleep(settle)
            began = time.perf_counter()
        launch = Launch(COMMAND)
        await sandbox.prepare(launch)
        await sandbox.launch(launch)
        async for _ in sandbox.output():
            return time.perf_counter() - began
        raise EngineError("the sandbox printed nothing")
    finally:
        await sandbox.destroy()


async def throughput(
    settings: Settings,
    engine: Engine,
    image: str,
    directory: Path,
    *,
    slots: Sequence[int],
    jobs: int,
    rounds: int,
    progress: Callable[[str], None],
) -> list[Figure]:
    """Fresh sandboxes a second through the whole box, and by a bare loop, in turn."""
    bare = BareLoop(
        (await engine.image(image)).id,
        COMMAND,
        runtime="evalbox-gvisor" if engine.name == "gvisor" else "runc",
        docker_host=settings.docker_host,
    )
    figures = []
    for count in slots:
        ours, theirs = [], []
        for number in range(rounds):
            progress(f"{engine.name}: throughput at {count} slots, round {number + 1} of {rounds}")
            theirs.append(jobs / await asyncio.to_thread(bare.run, jobs, count))
            where = directory / f"throughput-{count}-{number}"
            box_settings = replace(settings, data_dir=where, slots=count)
            ours.append(jobs / await _drain(box_settings, engine, image, jobs))
        pairs = [one / other for one, other in zip(ours, theirs, strict=True)]
        name = f"{engine.name}: {count} slots, "
        figures += [
            Figure(name + "evalbox", statistics.median(ours), "/s", rounds),
            Figure(name + "bare loop", statistics.median(theirs), "/s", rounds),
            Figure(name + "evalbox / bare", statistics.median(pairs), "", rounds, Goal(">=", 0.9)),
        ]
    return figures


async def _drain(settings: Settings, engine: Engine, image: str, jobs: int) -> float:
    """Seconds from the opening of the queue to the last sandbox removed."""
    unhindered = replace(settings, memory_percent=100, load_per_core=1000)
    box = await LocalBox.open(unhindered, work=True, warm=settings.warm, engines=[engine])
    try:
        await box.pause()
        spec = EvaluationSpec(name="bench", command=COMMAND, image=image, engine=engine.name)
        made = await box.submit([spec] * jobs)
        began = time.perf_counter()
        await box.resume()
        for evaluation in made:
            ended = await box.wait(evaluation.id)
            if ended.outcome is not Outcome.OK:
                raise EngineError(f"an evaluation ended as {ended.outcome}: {ended.reason}")
        while box.running_here:  # noqa: ASYNC110
            await asyncio.sleep(0.005)
        return time.perf_counter() - began
    finally:
        await box.close(drain=0)
