"""Whether the service lives, and whether it can do its work. Nothing here needs a key."""

from __future__ import annotations

from fastapi import APIRouter, Response

from evalbox import __version__
from evalbox.api.context import TheBox
from evalbox.errors import EvalboxError
from evalbox.wire.shapes import HealthDocument

router = APIRouter(tags=["health"])


@router.get("/healthz")
async def health() -> HealthDocument:
    """Answers while the process lives and its loop turns."""
    return {"status": "ok", "version": __version__, "working": True}


@router.get("/readyz", responses={503: {"model": HealthDocument}})
async def readiness(box: TheBox, response: Response) -> HealthDocument:
    """Whether the store answers and the queue is run, by this process or another."""
    status, working = "ok", False
    try:
        queue = await box.queue()
        working = queue.working
        if not working:
            status = "no process runs the queue"
        elif queue.draining:
            status = "draining"
    except EvalboxError as error:
        status = error.message
    if status != "ok":
        response.status_code = 503
    return {"status": status, "version": __version__, "working": working}
