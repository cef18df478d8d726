"""``/backup``: the whole box as one file."""

from __future__ import annotations

import asyncio
import os
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

from fastapi import APIRouter
from starlette.responses import Response, StreamingResponse

from evalbox.api.auth import requires
from evalbox.api.context import TheBox
from evalbox.api.responses import octets
from evalbox.domain.access import Scope

router = APIRouter(tags=["host"])
_PIECE = 1 << 20


@router.post(
    "/backup",
    dependencies=[requires(Scope.ADMIN)],
    response_class=Response,
    responses=octets("The backup"),
)
async def make_backup(box: TheBox) -> Response:
    """Everything that the box keeps, as it is at this moment; the service goes on meanwhile."""
    directory = tempfile.TemporaryDirectory(prefix="evalbox-backup-")
    file = Path(directory.name, "backup")
    try:
        await box.backup(file)
        source = await asyncio.to_thread(file.open, "rb")
    except BaseException:
        directory.cleanup()
        raise

    async def content() -> AsyncIterator[bytes]:
        try:
            while data := await asyncio.to_thread(source.read, _PIECE):
                yield data
        finally:
            source.close()
            await asyncio.to_thread(directory.cleanup)

    headers = {
        "Content-Disposition": 'attachment; filename="evalbox.backup"',
        "Content-Length": str(os.fstat(source.fileno()).st_size),
    }
    return StreamingResponse(content(), media_type="application/octet-stream", headers=headers)
