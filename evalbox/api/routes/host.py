"""``/host`` and what is asked of the machine."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query

from evalbox.api.auth import requires
from evalbox.api.context import TheBox
from evalbox.api.moments import moment
from evalbox.domain.access import Scope
from evalbox.wire import document
from evalbox.wire.shapes import CheckDocument, HostDocument

router = APIRouter(tags=["host"])
READ, ADMIN = [requires(Scope.READ)], [requires(Scope.ADMIN)]


@router.get("/host", dependencies=READ)
async def get_host(
    box: TheBox,
    since: Annotated[str | None, Query(description="ISO 8601")] = None,
) -> HostDocument:
    """The machine, what is in use of it, and how that was ``since`` then."""
    return document.host(await box.host(since=moment(since, "since")))


@router.get("/checks", dependencies=ADMIN)
async def list_checks(
    box: TheBox, engine: Annotated[list[str] | None, Query()] = None
) -> list[CheckDocument]:
    """Tries what the box needs of its machine, by really starting sandboxes."""
    return [document.check(item) async for item in box.diagnose(engine or ())]


@router.post("/engines/ping", status_code=204, dependencies=READ)
async def ping_engine(
    box: TheBox, name: Annotated[str, Query(max_length=40, description="Default: the box's")] = ""
) -> None:
    """Fails with the remedy where no sandbox could be made now."""
    await box.require_engine(name)
