"""The reduce step of a batch file, as the box is to run it when the others have ended."""

from __future__ import annotations

from dataclasses import replace

from evalbox.batches.file import BatchFile, ReduceEntry
from evalbox.batches.plan import content, prepared, reduce_request
from evalbox.domain.evaluation import EvaluationSpec
from evalbox.requests.making import Progress, Workshop
from evalbox.requests.request import Defaults


def check_reduce(file: BatchFile, entry: ReduceEntry, defaults: Defaults, *, now: float) -> None:
    """That it can be asked for is known before anything is run. Raises ``InvalidInput``."""
    request = reduce_request(file, entry)
    prepared(request, entry.node, entry.options.nodes, defaults, now=now)


async def reduce_spec(
    workshop: Workshop,
    file: BatchFile,
    entry: ReduceEntry,
    defaults: Defaults,
    progress: Progress,
    *,
    now: float,
) -> EvaluationSpec:
    """The evaluation of it, less what the others leave; its key tells what it is."""
    asked = prepared(
        reduce_request(file, entry), entry.node, entry.options.nodes, defaults, now=now
    )
    (spec,) = await asked.specs(workshop, progress)
    return replace(spec, idempotency_key=content(spec, _own_env(entry)))


def _own_env(entry: ReduceEntry) -> tuple[str, ...]:
    return tuple(text for text in entry.options.given.get("env", ()) if "=" in text)
