"""``/blobs``: contents of files, uploaded before an evaluation names them."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Request, Response
from starlette.responses import StreamingResponse

from evalbox.api.auth import requires
from evalbox.api.bodies import arriving, upload
from evalbox.api.context import TheBox, TheContext
from evalbox.api.responses import download, octets
from evalbox.domain.access import Scope
from evalbox.domain.limits import GIB
from evalbox.service.spool import spooled
from evalbox.wire.shapes import BlobDocument

router = APIRouter(prefix="/blobs", tags=["blobs"])

MAX_BLOB = 1 * GIB
_BODY = {
    "requestBody": {
        # What is empty is a content, too.
        "required": False,
        "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
    }
}


@router.post("", status_code=201, dependencies=[requires(Scope.SUBMIT)], openapi_extra=_BODY)
@upload(MAX_BLOB)
async def upload_blob(request: Request, context: TheContext) -> BlobDocument:
    """Keeps the body, of at most 1 GiB, under the SHA-256 of its content.

    What no evaluation comes to need is forgotten after a day.
    """
    async with spooled(arriving(request), context.settings.data_dir) as file:
        blob, size = await context.box.upload(file)
    return {"blob": blob, "size": size}


@router.get(
    "/{blob}",
    dependencies=[requires(Scope.SUBMIT)],
    response_class=Response,
    responses={**octets("The content"), 404: {}},
)
async def get_blob(
    blob: Annotated[str, Path(pattern=r"^[0-9a-f]{64}$")], box: TheBox
) -> StreamingResponse:
    """What was uploaded, to whoever knows the SHA-256 of it."""
    return await download(box.read_blob(blob))
