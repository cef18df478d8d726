"""Runs what a batch file says: queues what is not there yet, and follows it to the end.

Where it stands is in the box and nowhere else: whoever runs the file again goes on.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import aclosing, suppress
from dataclasses import dataclass, field

from evalbox.domain.evaluation import Evaluation, EvaluationSpec
from evalbox.domain.records import EvaluationFilter
from evalbox.domain.reduction import BatchPlan, Reduction, ReductionState
from evalbox.domain.state import FINAL, State
from evalbox.errors import BatchNotFound, InvalidTransition
from evalbox.export.reading import matching
from evalbox.service.box import Box

_ENDS = {f"evaluation.{state}": state for state in FINAL}
_FAILED = frozenset({State.FAILED, State.DEAD})
#: What nothing can be said of until it has been tried again.
_AGAIN = frozenset({State.CANCELLED, State.DEAD})
#: Evaluations that are submitted at once, so that the first start while the last are sent.
_AT_ONCE = 2000


@dataclass(frozen=True, slots=True)
class Standing:
    """What of a batch is in the box already: ``new`` is not, ``again`` ended without a verdict."""

    new: tuple[EvaluationSpec, ...] = ()
    again: tuple[Evaluation, ...] = ()
    waiting: tuple[Evaluation, ...] = ()
    done: tuple[Evaluation, ...] = ()

    @property
    def total(self) -> int:
        return len(self.new) + len(self.again) + len(self.waiting) + len(self.done)


@dataclass(slots=True)
class Tally:
    """How far it is: counts of all that the file says, what was done before included."""

    total: int
    ended: int = 0
    failed: int = 0
    seen: set[str] = field(default_factory=set)


def standing_of(
    specs: Sequence[EvaluationSpec], there: Sequence[Evaluation], *, failed_too: bool = False
) -> Standing:
    """``failed_too``: what failed is to be tried again as well."""
    known = {item.spec.idempotency_key: item for item in there}
    old = [known[spec.idempotency_key] for spec in specs if spec.idempotency_key in known]
    again = _AGAIN | {State.FAILED} if failed_too else _AGAIN
    return Standing(
        tuple(spec for spec in specs if spec.idempotency_key not in known),
        tuple(item for item in old if item.state in again),
        tuple(item for item in old if item.state not in FINAL),
        tuple(item for item in old if item.state in FINAL - again),
    )


async def members(box: Box, batch: str) -> list[Evaluation]:
    """All of a batch, newest first; none where there is no such batch."""
    try:
        await box.batch(batch)
    except BatchNotFound:
        return []
    return [item async for item in matching(box, EvaluationFilter(batch=batch))]


async def queue(
    box: Box, batch: str, standing: Standing, *, concurrency: int | None
) -> list[Evaluation]:
    """Queues what is new and what is to be tried again; gives all, as they stand then."""
    current = await box.batch(batch) if standing.again or standing.waiting else None
    if concurrency is not None and (current is None or current.concurrency != concurrency):
        await box.set_batch_concurrency(batch, concurrency)
    made: list[Evaluation] = []
    for start in range(0, len(standing.new), _AT_ONCE):
        made += await box.submit(standing.new[start : start + _AT_ONCE])
    again = await _retry(box, standing.again)
    return [*standing.done, *standing.waiting, *again, *made]


async def unplanned(box: Box, batch: str) -> None:
    """While more are submitted, what was planned for a batch does not take place."""
    with suppress(BatchNotFound):
        current = await box.batch(batch)
        if current.fail_fast or current.reduction is not None:
            await box.plan_batch(batch, BatchPlan())


async def reduced(box: Box, batch: str) -> Reduction | None:
    """How its reduce step stands once that is known, which takes no time when all have ended."""
    after = await box.last_seq()
    found = (await box.batch(batch)).reduction
    if found is None or found.state is not ReductionState.WAITING:
        return found
    events = box.events(after=after, follow=True, batch=batch)
    async with aclosing(events) as feed:  # type: ignore[type-var]
        async for event in feed:
            if event.kind in ("batch.reduced", "batch.planned"):
                break
    return (await box.batch(batch)).reduction


async def _retry(box: Box, items: Sequence[Evaluation]) -> list[Evaluation]:
    try:
        return list(await box.retry([item.id for item in items])) if items else []
    except InvalidTransition:
        # Somebody else did so meanwhile to one of them, which is as well.
        current = [await box.get(item.id) for item in items]
        ended = [item.id for item in current if item.state in FINAL]
        if ended:
            await box.retry(ended)
        return [await box.get(item.id) for item in items]


async def follow(
    box: Box,
    batch: str,
    items: Sequence[Evaluation],
    *,
    after: int,
    told: Callable[[Tally], None],
) -> Tally:
    """Returns when all have ended. ``after``: the newest event before they were looked at."""
    tally = Tally(len(items))
    pending = {item.id for item in items if item.state not in FINAL}
    for item in items:
        if item.state in FINAL:
            tally.ended += 1
            tally.failed += item.state in _FAILED
    told(tally)
    if not pending:
        return tally
    events = box.events(after=after, follow=True, batch=batch)
    async with aclosing(events) as feed:  # type: ignore[type-var]
        async for event in feed:
            state = _ENDS.get(event.kind)
            if state is None or event.evaluation_id not in pending:
                continue
            pending.discard(event.evaluation_id)
            tally.ended += 1
            tally.failed += state in _FAILED
            told(tally)
            if not pending:
                return tally
    return tally
