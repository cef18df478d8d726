"""``/batches``: groups of evaluations with a limit of their own."""

from __future__ import annotations

from fastapi import APIRouter

from evalbox.api.auth import requires
from evalbox.api.context import TheBox, TheContext
from evalbox.api.models import BatchBody, BatchPlanBody
from evalbox.api.specification import specification
from evalbox.domain.access import Scope
from evalbox.domain.reduction import BatchPlan
from evalbox.wire import document
from evalbox.wire.shapes import BatchDocument

router = APIRouter(prefix="/batches", tags=["batches"])
READ, SUBMIT = [requires(Scope.READ)], [requires(Scope.SUBMIT)]


@router.get("", dependencies=READ)
async def list_batches(box: TheBox) -> list[BatchDocument]:
    """Every batch, with how many of its evaluations are in each state."""
    return [document.batch(item) for item in await box.batches()]


@router.get("/{name:path}", dependencies=READ)
async def get_batch(name: str, box: TheBox) -> BatchDocument:
    """One batch, with how many of its evaluations are in each state."""
    return document.batch(await box.batch(name))


@router.patch("/{name:path}", dependencies=SUBMIT)
async def change_batch(name: str, body: BatchBody, box: TheBox) -> BatchDocument:
    """Sets how many of its evaluations run at once."""
    return document.batch(await box.set_batch_concurrency(name, body.concurrency))


@router.put("/{name:path}", dependencies=SUBMIT)
async def plan_batch(name: str, body: BatchPlanBody, context: TheContext) -> BatchDocument:
    """Sets what the box does with a batch by itself, in place of what was planned before.

    To be said when all of the batch have been submitted. The reduce step finds what they left
    beneath ``/in`` and has the label ``reduces``; it is no part of the batch.
    """
    reduce = None
    if body.reduce is not None:
        reduce = await specification(body.reduce, context.box, now=context.clock.now())
    plan = BatchPlan(body.fail_fast, reduce)
    return document.batch(await context.box.plan_batch(name, plan))
