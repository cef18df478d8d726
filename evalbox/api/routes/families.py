"""``/families``: attempts at tasks of METR Task Standard families, which clients send along."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

from fastapi import APIRouter

from evalbox.api.auth import requires
from evalbox.api.context import TheContext
from evalbox.api.families import prepared
from evalbox.api.family_models import FamilyEvaluationsBody
from evalbox.api.paging import page
from evalbox.api.progress import told
from evalbox.api.routes.evaluations import IdempotencyKey
from evalbox.api.sse import EventStream, frame
from evalbox.domain.access import Scope
from evalbox.domain.evaluation import Evaluation
from evalbox.requests.making import Progress
from evalbox.service.spool import scratch

router = APIRouter(prefix="/families", tags=["families"])


@router.post("/evaluations", dependencies=[requires(Scope.SUBMIT)], response_class=EventStream)
async def create_family_evaluations(
    body: FamilyEvaluationsBody, context: TheContext, idempotency_key: IdempotencyKey = None
) -> EventStream:
    """Queues attempts at the family's tasks, all or none, once its image is there.

    The image is built where it is not there yet: once, however many ask. Server-sent events:
    ``progress`` with a line of text, then ``queued`` with the evaluations as ``items``, or
    ``problem``. With an idempotency key, the same request a second time gives the evaluations of
    the first. Whoever goes away before ``queued`` has queued nothing, and may ask again.
    """
    box = context.box
    place = await asyncio.to_thread(scratch, context.settings.data_dir)
    try:
        asked = await prepared(
            body, box, Path(place.name), now=context.clock.now(), idempotency_key=idempotency_key
        )
    except BaseException:
        await asyncio.shield(asyncio.to_thread(place.cleanup))
        raise

    async def made(tell: Progress) -> Sequence[Evaluation]:
        try:
            return await box.submit(await asked.specs(box, tell))
        finally:
            await asyncio.shield(asyncio.to_thread(place.cleanup))

    return told(made, lambda found: frame("queued", page(found)))
