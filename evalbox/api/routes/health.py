"""Whether the service lives, and whether it can do its work. Nothing here needs a key."""

from __future__ import annotations

from fastapi import APIRouter, Response

from evalbox import __version__
from evalbox.api.context import TheContext
from evalbox.errors import EvalboxError
from evalbox.wire.shapes import HealthDocument

router = APIRouter(tags=["health"])


@router.get("/healthz")
async def health() -> HealthDocument:
    """Answers while the process lives and its loop turns."""
    return {"status": "ok", "version": __version__, "working": True}


@router.get("/readyz", responses={503: {"model": HealthDocument}})
async def readiness(context: TheContext, response: Response) -> HealthDocument:
    """Whether the store can be written, the queue is run and its engine makes sandboxes."""
    status, working = "ok", False
    try:
        queue = await context.box.queue()
        working = queue.working
        if not working:
            status = "no process runs the queue"
        elif queue.draining:
            status = "draining"
        else:
            status = context.watch.trouble() or status
    except EvalboxError as error:
        # Anybody may ask: the message could tell of paths.
        status = error.code
    if status != "ok":
        response.status_code = 503
    return {"status": status, "version": __version__, "working": working}
