"""``/activity``: what runs, at this moment."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence

from fastapi import APIRouter, Response

from evalbox.api.auth import requires
from evalbox.api.context import TheBox
from evalbox.domain.access import Scope
from evalbox.domain.activity import Activity
from evalbox.wire import document
from evalbox.wire.shapes import ActivityDocument

router = APIRouter(tags=["evaluations"])
READ = [requires(Scope.READ)]


@router.get("/activity", dependencies=READ, response_model=list[ActivityDocument])
async def list_activity(box: TheBox) -> Response:
    """What every attempt under way is at and what it uses, the oldest evaluation first."""
    # Asked for each second by every screen: a thousand of them would hold the event loop up.
    content = await asyncio.to_thread(_encoded, await box.activity())
    return Response(content, media_type="application/json")


def _encoded(found: Sequence[Activity]) -> bytes:
    return json.dumps([document.activity(item) for item in found], separators=(",", ":")).encode()
