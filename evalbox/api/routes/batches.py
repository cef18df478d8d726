"""``/batches``: groups of evaluations with a limit of their own."""

from __future__ import annotations

from fastapi import APIRouter

from evalbox.api.auth import requires
from evalbox.api.context import TheBox
from evalbox.api.models import BatchBody
from evalbox.domain.access import Scope
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
