"""``/backup``: the whole box as one file."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from typing import BinaryIO

from fastapi import APIRouter
from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Send
from starlette.types import Scope as AsgiScope

from evalbox.api.auth import requires
from evalbox.api.context import TheContext
from evalbox.api.responses import octets
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

    async def content() -> AsyncIterator[bytes]:
        while data := await asyncio.to_thread(source.read, _PIECE):
            yield data

    headers = {
        "Content-Disposition": 'attachment; filename="evalbox.backup"',
        "Content-Length": str(os.fstat(source.fileno()).st_size),
    }
    return _Download(source, content(), headers)


class _Download(StreamingResponse):
    """Closes ``source`` even where the client was gone before the first byte."""

    def __init__(
        self, source: BinaryIO, content: AsyncIterator[bytes], headers: dict[str, str]
    ) -> None:
        super().__init__(content, media_type="application/octet-stream", headers=headers)
        self._source = source

    async def __call__(self, scope: AsgiScope, receive: Receive, send: Send) -> None:
        with self._source:
            await super().__call__(scope, receive, send)
