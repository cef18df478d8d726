"""A batch begun, or gone on with, from its file: read and checked, queued, and planned."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from evalbox.batches.file import BatchFile, read_batch
from evalbox.batches.plan import Unit, units
from evalbox.batches.reduce import check_reduce, reduce_spec
from evalbox.batches.run import Standing, members, queue, standing_of, unplanned
from evalbox.domain.evaluation import Evaluation, EvaluationSpec
from evalbox.domain.reduction import BatchPlan
from evalbox.domain.text import plain_text
from evalbox.requests.making import Progress
from evalbox.requests.request import Defaults
from evalbox.service.box import Box


@dataclass(frozen=True, slots=True)
class Ready:
    """A batch file, and what it comes to: all that it names has been found to be there."""

    file: BatchFile
    units: tuple[Unit, ...]
    defaults: Defaults

    @property
    def engines(self) -> tuple[str, ...]:
        """Those that it needs; empty is the box's own."""
        return tuple(sorted({unit.asked.spec.engine for unit in self.units}))


def ready(path: Path, defaults: Defaults, *, now: float, name: str | None = None) -> Ready:
    """``name`` is another one for the batch than the file's.

    Reads files, so that it is to be called beside an event loop. Raises ``InvalidInput``, which
    names the line, and ``FileMissing``.
    """
    file = read_batch(path)
    if name is not None:
        file = replace(file, name=plain_text(name, field="name", flag=True))
    made = units(file, defaults, now=now)
    if file.reduce is not None:
        check_reduce(file, file.reduce, defaults, now=now)
    return Ready(file, tuple(made), defaults)


async def prepare(
    box: Box,
    batch: Ready,
    progress: Progress,
    *,
    reading: Callable[[str], None],
    failed_too: bool = False,
) -> Standing:
    """Stores its files and has its images made; gives what of it is in the box already.

    ``progress`` is told what the making of images prints, and ``reading`` which task is at hand.
    """
    file = batch.file
    specs: list[EvaluationSpec] = []
    for number, unit in enumerate(batch.units, start=1):
        reading(f"reading {number} of {len(batch.units)}: {unit.title}")
        specs += await unit.specs(file.name, file.epochs, box, progress)
    return standing_of(specs, await members(box, file.name), failed_too=failed_too)


async def begin(
    box: Box, batch: Ready, standing: Standing, progress: Progress, *, now: float
) -> list[Evaluation]:
    """Queues what is not there yet, and has the box lead it from then on; gives all of it."""
    file = batch.file
    await unplanned(box, file.name)
    items = await queue(box, file.name, standing, concurrency=file.concurrency)
    if file.reduce is not None or file.fail_fast:
        reduce = None
        if file.reduce is not None:
            reduce = await reduce_spec(
                box, file, file.reduce, batch.defaults, progress, now=now
            )  # fmt: skip
        await box.plan_batch(file.name, BatchPlan(file.fail_fast, reduce))
    return items
