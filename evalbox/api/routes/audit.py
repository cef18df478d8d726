"""``/audit``: the record of who did what."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import AwareDatetime

from evalbox.api.auth import requires
from evalbox.api.context import TheBox
from evalbox.api.models import Body
from evalbox.api.paging import Page
from evalbox.domain.access import Scope
from evalbox.wire import access
from evalbox.wire.access import (
    MOST_ENTRIES,
    AuditEntryDocument,
    AuditReportDocument,
    PrunedDocument,
)

router = APIRouter(prefix="/audit", tags=["audit"], dependencies=[requires(Scope.ADMIN)])


class PruneBody(Body):
    """Entries from before that moment, which is a day ago at the latest."""

    before: AwareDatetime


@router.get("")
async def list_audit(
    box: TheBox,
    after: Annotated[
        int | None, Query(ge=0, le=1 << 62, description="Default: the newest entries")
    ] = None,
    limit: Annotated[int, Query(ge=1, le=MOST_ENTRIES)] = 100,
) -> Page[AuditEntryDocument]:
    """Entries, the oldest first."""
    found = await box.audit.list(after=after, limit=limit)
    more = after is not None and len(found) == limit
    return {
        "items": [access.entry(item) for item in found],
        "next": str(found[-1].seq) if more else None,
    }


@router.post("/prune")
async def prune_audit(box: TheBox, body: PruneBody) -> PrunedDocument:
    """Takes out the oldest entries. One that stays tells of it, so that the log can be verified."""
    return access.pruned(await box.audit.prune(body.before.timestamp()))


@router.get("/verify")
async def verify_audit(
    box: TheBox,
    expect: Annotated[
        str | None, Query(max_length=80, description="A head that was told before")
    ] = None,
) -> AuditReportDocument:
    """Looks through the whole log for what was changed in it."""
    return access.report(await box.audit.verify(expect))
