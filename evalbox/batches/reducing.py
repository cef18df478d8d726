"""Runs the reduce step of a batch, once for the same results."""

from __future__ import annotations

from collections.abc import Sequence

from evalbox.batches.file import REDUCES, BatchFile, ReduceEntry
from evalbox.batches.reduce import reduce_spec
from evalbox.domain.evaluation import Evaluation
from evalbox.domain.records import EvaluationFilter
from evalbox.domain.state import State
from evalbox.export.reading import matching
from evalbox.requests.making import Progress
from evalbox.requests.request import Defaults
from evalbox.service.box import Box

_AGAIN = frozenset({State.CANCELLED, State.DEAD})


async def reduced(
    box: Box,
    file: BatchFile,
    entry: ReduceEntry,
    items: Sequence[Evaluation],
    defaults: Defaults,
    progress: Progress,
    *,
    now: float,
) -> Evaluation:
    """The evaluation that reduces ``items``, queued where it was not already."""
    spec = await reduce_spec(box, file, entry, items, defaults, progress, now=now)
    query = EvaluationFilter(labels={REDUCES: file.name})
    async for item in matching(box, query):
        if item.spec.idempotency_key == spec.idempotency_key:
            return (await box.retry([item.id]))[0] if item.state in _AGAIN else item
    return (await box.submit([spec]))[0]
