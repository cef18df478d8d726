"""``/blobs``: contents of files, uploaded before an evaluation names them."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path

from fastapi import APIRouter, Request

from evalbox.api.auth import requires
from evalbox.api.bodies import upload
from evalbox.api.context import TheBox
from evalbox.domain.access import Scope
from evalbox.domain.limits import GIB
from evalbox.errors import InvalidInput
from evalbox.wire.shapes import BlobDocument

router = APIRouter(prefix="/blobs", tags=["blobs"])

MAX_BLOB = 1 * GIB
_BODY = {
    "requestBody": {
        "required": True,
        "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
    }
}


@router.post("", status_code=201, dependencies=[requires(Scope.SUBMIT)], openapi_extra=_BODY)
@upload(MAX_BLOB)
async def upload_blob(request: Request, box: TheBox) -> BlobDocument:
    """Keeps the body, of at most 1 GiB, under the SHA-256 of its content.

    What no evaluation comes to need is forgotten after a day.
    """
    with tempfile.NamedTemporaryFile(prefix="evalbox-upload-") as file:
        await _receive(request, file)
        blob, size = await box.upload(Path(file.name))
    return {"blob": blob, "size": size}


async def _receive(request: Request, file: tempfile._TemporaryFileWrapper[bytes]) -> None:
    announced = request.headers.get("content-length", "")
    size = 0
    async for data in request.stream():
        size += len(data)
        await asyncio.to_thread(file.write, data)
    if announced.isdigit() and size != int(announced):
        raise InvalidInput("the upload broke off", hint="send it again")
    await asyncio.to_thread(file.flush)
