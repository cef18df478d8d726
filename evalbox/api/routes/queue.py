"""``/queue``: what waits, how much runs at once, and what could not be run."""

from __future__ import annotations

from fastapi import APIRouter

from evalbox.api.auth import requires
from evalbox.api.context import TheBox
from evalbox.api.models import IdsBody, SlotsBody
from evalbox.api.paging import Cursor, Limit, Page, page
from evalbox.api.references import resolved
from evalbox.domain.access import Scope
from evalbox.domain.records import EvaluationFilter
from evalbox.domain.state import State
from evalbox.wire import document
from evalbox.wire.shapes import EvaluationDocument, QueueDocument

router = APIRouter(prefix="/queue", tags=["queue"])
READ, SUBMIT, ADMIN = [requires(Scope.READ)], [requires(Scope.SUBMIT)], [requires(Scope.ADMIN)]


@router.get("", dependencies=READ)
async def get_queue(box: TheBox) -> QueueDocument:
    """How the queue stands."""
    return document.queue(await box.queue())


@router.patch("", dependencies=ADMIN)
async def resize_queue(body: SlotsBody, box: TheBox) -> QueueDocument:
    """Sets how many evaluations run at once."""
    await box.set_slots(body.slots)
    return document.queue(await box.queue())


@router.post("/pause", dependencies=ADMIN)
async def pause_queue(box: TheBox) -> QueueDocument:
    """Starts nothing more; what runs goes on."""
    await box.pause()
    return document.queue(await box.queue())


@router.post("/resume", dependencies=ADMIN)
async def resume_queue(box: TheBox) -> QueueDocument:
    """Starts evaluations again."""
    await box.resume()
    return document.queue(await box.queue())


@router.get("/dead", dependencies=READ)
async def list_dead(
    box: TheBox, limit: Limit = 100, cursor: Cursor = None
) -> Page[EvaluationDocument]:
    """Dead letters: evaluations that the box itself failed to run, however often it tried."""
    query = EvaluationFilter(states=frozenset({State.DEAD}))
    found = await box.list(query, limit=limit, after=cursor)
    return page(found, limit)


@router.post("/dead/requeue", dependencies=SUBMIT)
async def requeue_dead(body: IdsBody, box: TheBox) -> Page[EvaluationDocument]:
    """Queues dead letters again, with a fresh budget of retries."""
    return page(await box.retry(await resolved(box, body.ids)))
