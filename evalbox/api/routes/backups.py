"""``/backup``: the whole box as one file."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from typing import BinaryIO

from fastapi import APIRouter
from starlette.responses import Response

from evalbox.api.auth import requires
from evalbox.api.context import TheContext
from evalbox.api.responses import download, octets
from evalbox.domain.access import Scope
from evalbox.service.spool import backed_up

router = APIRouter(tags=["host"])
_PIECE = 1 << 20


@router.post(
    "/backup",
    dependencies=[requires(Scope.ADMIN)],
    response_class=Response,
    responses=octets("The backup"),
)
async def make_backup(context: TheContext) -> Response:
    """Everything that the box keeps, as it is at this moment; the service goes on meanwhile."""
    source = await backed_up(context.box, context.settings.data_dir)

    headers = {
        "Content-Disposition": 'attachment; filename="evalbox.backup"',
        "Content-Length": str(os.fstat(source.fileno()).st_size),
    }
    return await download(_content(source), headers)


async def _content(source: BinaryIO) -> AsyncIterator[bytes]:
    with source:
        while data := await asyncio.to_thread(source.read, _PIECE):
            yield data
