"""How soon after its last attempt a batch of scripted attempts is reported."""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Callable
from pathlib import Path

from evalbox.batches.file import parse_batch
from evalbox.batches.plan import units
from evalbox.batches.run import Tally, follow, members, queue, standing_of
from evalbox.bench.report import Figure, Goal
from evalbox.bench.unhindered import unhindered_box
from evalbox.config.settings import Settings
from evalbox.domain.experiment import experiment
from evalbox.export.experiment import page
from evalbox.requests.making import in_silence
from evalbox.requests.request import Defaults
from evalbox.service.local import LocalBox
from evalbox.wire import experiment as document

_TASKS, _AGENTS, _NAME = 20, 5, "bench"


async def batch(
    settings: Settings,
    directory: Path,
    *,
    evaluations: int,
    rounds: int,
    progress: Callable[[str], None],
) -> list[Figure]:
    """From the file to the report, as ``evalbox batch run`` does it."""
    whole: list[float] = []
    reported: list[float] = []
    for number in range(rounds):
        progress(f"a batch of {evaluations:,} scripted attempts, round {number + 1} of {rounds}")
        seconds, last = await _round(settings, directory / f"batch-{number}", evaluations)
        whole.append(seconds)
        reported.append(last)
    name = f"batch of {evaluations:,} attempts"
    return [
        Figure(f"{name}, run and reported", statistics.median(whole), "s", rounds),
        Figure(
            f"{name}, last end to report", statistics.median(reported), "s", rounds, Goal("<=", 1)
        ),
    ]


async def _round(settings: Settings, directory: Path, evaluations: int) -> tuple[float, float]:
    """Seconds from the file to the report, and from the last end to it."""
    async with unhindered_box(settings, directory) as box:
        began = time.perf_counter()
        await _run(box, evaluations // (_TASKS * _AGENTS))
        ended = max(item.finished_at or 0.0 for item in await members(box, _NAME))
        return time.perf_counter() - began, time.time() - ended


async def _run(box: LocalBox, epochs: int) -> None:
    file = parse_batch(_source(epochs), Path("bench.yaml"))
    after = await box.last_seq()
    specs = [
        spec
        for unit in units(file, Defaults("fake", "none"), now=time.time())
        for spec in await unit.specs(file.name, file.epochs, box, in_silence)
    ]
    standing = standing_of(specs, [])
    items = await queue(box, file.name, standing, concurrency=file.concurrency)
    await follow(box, file.name, items, after=after, told=_told_nobody)
    found = experiment(file.name, await members(box, file.name))
    json.dumps(document.experiment(found))
    page.render(found)


def _told_nobody(_tally: Tally) -> None:
    """Nobody looks."""


def _source(epochs: int) -> bytes:
    """Attempts that leave a score."""
    tasks = [
        {"name": f"task {number}", "command": ["artifact", "score", str(number / _TASKS)],
         "score": "score"}
        for number in range(_TASKS)
    ]  # fmt: skip
    agents = [{"name": f"agent {number}"} for number in range(_AGENTS)]
    told = {"name": _NAME, "tasks": tasks, "agents": agents, "epochs": epochs}
    # What is JSON is YAML too.
    return json.dumps(told).encode()
