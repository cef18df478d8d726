"""``/host`` and what is asked of the machine."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query

from evalbox.api.auth import requires
from evalbox.api.context import TheBox, TheContext
from evalbox.domain.access import Scope
from evalbox.wire import document
from evalbox.wire.shapes import CheckDocument, HostDocument

router = APIRouter(tags=["host"])
READ, ADMIN = [requires(Scope.READ)], [requires(Scope.ADMIN)]


@router.get("/host", dependencies=READ)
async def get_host(
    context: TheContext,
    history: Annotated[float, Query(ge=0, le=7 * 86400, description="Seconds back")] = 0.0,
) -> HostDocument:
    """The machine, what is in use of it, and with ``history`` how that was."""
    since = context.clock.now() - history if history else None
    return document.host(await context.box.host(since=since))


@router.get("/checks", dependencies=ADMIN)
async def list_checks(
    box: TheBox, engine: Annotated[list[str] | None, Query()] = None
) -> list[CheckDocument]:
    """Tries what the box needs of its machine, by really starting sandboxes."""
    return [document.check(item) async for item in box.diagnose(engine or ())]


@router.post("/engines/{name}/ping", status_code=204, dependencies=READ)
async def ping_engine(name: Annotated[str, Path(min_length=1, max_length=40)], box: TheBox) -> None:
    """Fails with the remedy where no sandbox could be made now."""
    await box.require_engine(name)
