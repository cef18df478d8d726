"""``/images``: what sandboxes are made from."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Annotated

from fastapi import APIRouter, Query, Request

from evalbox.api.auth import requires
from evalbox.api.bodies import arriving, upload
from evalbox.api.context import TheBox, TheContext
from evalbox.api.progress import told
from evalbox.api.sse import EventStream, frame
from evalbox.domain.access import Scope
from evalbox.domain.image import Image
from evalbox.domain.limits import GIB
from evalbox.errors import InvalidInput
from evalbox.service.images import Progress
from evalbox.service.spool import spooled
from evalbox.wire import document
from evalbox.wire.shapes import ImageDocument

router = APIRouter(prefix="/images", tags=["images"])
READ, ADMIN = [requires(Scope.READ)], [requires(Scope.ADMIN)]
Reference = Annotated[
    str,
    Query(
        min_length=1,
        max_length=512,
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._:/@-]*$",
        description="As in python:3.12-slim, or an id",
    ),
]
Mirror = Annotated[
    str | None,
    Query(max_length=2048, pattern=r"^https?://\S+$", description="Where Debian's packages are"),
]

MAX_ARCHIVE = 20 * GIB
_BODY = {
    "requestBody": {
        "required": True,
        "content": {"application/x-tar": {"schema": {"type": "string", "format": "binary"}}},
    }
}


@router.get("", dependencies=READ)
async def list_images(box: TheBox) -> list[ImageDocument]:
    """Those that have a name, the newest first."""
    return [document.image(item) for item in await box.images.list()]


@router.get("/one", dependencies=READ, responses={404: {}})
async def get_image(reference: Reference, box: TheBox) -> ImageDocument:
    """One image, by a name or its id."""
    return document.image(await box.images.get(reference))


@router.delete("/one", status_code=204, dependencies=ADMIN, responses={404: {}})
async def remove_image(reference: Reference, box: TheBox) -> None:
    """Removes an image that no container is made from."""
    await box.images.remove(reference)


@router.post("/build", dependencies=ADMIN, response_class=EventStream)
async def build_base_image(
    box: TheBox, force: bool = False, mirror: Mirror = None, standard: bool = False
) -> EventStream:
    """Makes the base image where it is missing or old; with ``standard`` also the one that images
    for families of the METR Task Standard are built upon.

    Server-sent events: ``progress`` with a line of text, then ``image`` or ``problem``.
    """
    if standard:
        return _told(lambda tell: box.images.build_task_standard(tell, force=force))
    place = {} if mirror is None else {"mirror": mirror}
    return _told(lambda tell: box.images.build_base(tell, force=force, **place))


@router.post("/pull", dependencies=ADMIN, response_class=EventStream)
async def pull_image(reference: Reference, box: TheBox) -> EventStream:
    """Brings an image from the registry that its name tells.

    Server-sent events: ``progress`` with a line of text, then ``image`` or ``problem``.
    """
    return _told(lambda tell: box.images.pull(reference, tell))


@router.post("/load", status_code=201, dependencies=ADMIN, openapi_extra=_BODY)
@upload(MAX_ARCHIVE)
async def load_images(request: Request, context: TheContext) -> list[ImageDocument]:
    """Takes in the images of a tar that ``docker save`` wrote, of at most 20 GiB."""
    async with spooled(arriving(request), context.settings.data_dir) as file:
        try:
            found = await context.box.images.load(file)
        except InvalidInput as error:
            told = error.message.replace(str(file), "the upload")
            raise InvalidInput(told, hint=error.hint) from error
    return [document.image(item) for item in found]


def _told(work: Callable[[Progress], Awaitable[Image]]) -> EventStream:
    return told(work, lambda image: frame("image", document.image(image)))
