"""``/metrics``, for Prometheus."""

from __future__ import annotations

import asyncio
from typing import Annotated

from fastapi import APIRouter, Header, Response

from evalbox.api.auth import requires
from evalbox.api.context import TheContext
from evalbox.api.routes.live import TheHub
from evalbox.domain.access import Scope
from evalbox.telemetry.exposition import expose
from evalbox.telemetry.metrics import gauge

router = APIRouter(tags=["health"])


# Its format is not that of the API, and its readers know its address.
@router.get("/metrics", dependencies=[requires(Scope.READ)], include_in_schema=False)
async def metrics(
    context: TheContext, hub: TheHub, accept: Annotated[str, Header()] = ""
) -> Response:
    """What the service has counted since it began, and how it stands."""
    readings = await context.watch.read()
    readings.append(gauge("feed_readers", "Clients that follow the feed.", hub.readers))
    content, media_type = await asyncio.to_thread(expose, readings, accept)
    return Response(content, headers={"Content-Type": media_type})
