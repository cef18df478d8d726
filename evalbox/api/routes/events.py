"""``/events``: what happened, in order, page by page."""

from __future__ import annotations

from contextlib import aclosing
from typing import Annotated

from fastapi import APIRouter, Query

from evalbox.api.auth import requires
from evalbox.api.context import TheBox
from evalbox.api.paging import Limit, Page
from evalbox.api.references import EvaluationId
from evalbox.domain.access import Scope
from evalbox.service.box import Box
from evalbox.wire import document
from evalbox.wire.shapes import EventDocument

router = APIRouter(tags=["events"])
READ = [requires(Scope.READ)]
After = Annotated[int, Query(ge=0, le=1 << 62, description="Only what came after this seq")]


@router.get("/events", dependencies=READ)
async def list_events(
    box: TheBox, after: After = 0, limit: Limit = 100, batch: str | None = None
) -> Page[EventDocument]:
    """Events, the oldest first."""
    return await _page(box, after, limit, batch=batch)


@router.get("/evaluations/{id}/events", dependencies=READ)
async def list_events_of_evaluation(
    evaluation_id: EvaluationId, box: TheBox, after: After = 0, limit: Limit = 100
) -> Page[EventDocument]:
    """Events of one evaluation, the oldest first."""
    return await _page(box, after, limit, evaluation_id=evaluation_id)


async def _page(
    box: Box,
    after: int,
    limit: int,
    *,
    evaluation_id: str | None = None,
    batch: str | None = None,
) -> Page[EventDocument]:
    items: list[EventDocument] = []
    events = box.events(after=after, evaluation_id=evaluation_id, batch=batch)
    async with aclosing(events) as source:  # type: ignore[type-var]
        async for event in source:
            items.append(document.event(event))
            if len(items) == limit:
                break
    return {"items": items, "next": str(items[-1]["seq"]) if len(items) == limit else None}
