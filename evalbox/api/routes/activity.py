"""``/activity``: what runs, at this moment."""

from __future__ import annotations

from fastapi import APIRouter

from evalbox.api.auth import requires
from evalbox.api.context import TheBox
from evalbox.domain.access import Scope
from evalbox.wire import document
from evalbox.wire.shapes import ActivityDocument

router = APIRouter(tags=["evaluations"])
READ = [requires(Scope.READ)]


@router.get("/activity", dependencies=READ)
async def list_activity(box: TheBox) -> list[ActivityDocument]:
    """What every attempt under way is at and what it uses, the oldest evaluation first."""
    return [document.activity(item) for item in await box.activity()]
