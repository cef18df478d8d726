"""``/images/builds``: images that are made by a program in a sandbox."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Annotated

from fastapi import APIRouter, Path, Query, Response
from pydantic import Field
from starlette.responses import StreamingResponse

from evalbox.api import problems
from evalbox.api.auth import requires
from evalbox.api.context import TheBox
from evalbox.api.models import ImageBuildBody, Text, example
from evalbox.api.progress import told
from evalbox.api.specification import image_build
from evalbox.api.sse import EventStream, frame
from evalbox.domain.access import Scope
from evalbox.domain.admissible import check_build
from evalbox.domain.limits import DAY
from evalbox.domain.sandbox import check_environment
from evalbox.errors import EvalboxError
from evalbox.wire import builds as wire
from evalbox.wire.problem import problem

router = APIRouter(prefix="/images/builds", tags=["images"])
READ, SUBMIT = [requires(Scope.READ)], [requires(Scope.SUBMIT)]
ADMIN = [requires(Scope.ADMIN)]
Reference = Annotated[
    str,
    Path(alias="build", min_length=1, max_length=64, pattern=r"^[0-9a-f]+$", description="Its key"),
]


class PrepareBody(ImageBuildBody):
    """What is to be built, and upon which image. ``env`` is in the command's environment alone."""

    model_config = example(
        {
            "base": "evalbox/base:latest",
            "command": ["/bin/sh", "-c", "apt-get update && apt-get install --yes jq"],
        }
    )

    base: Text
    engine: Text | None = None
    env: dict[str, str] = Field(default_factory=dict)


Unused = Annotated[
    float, Query(ge=0, le=10_000 * DAY, description="Seconds for which what goes was not used")
]


@router.post("", dependencies=SUBMIT, response_class=EventStream)
async def prepare_image(body: PrepareBody, box: TheBox) -> EventStream:
    """Makes an image where it is not there yet: once, however many ask.

    Server-sent events: ``progress`` with a line of text, then ``built`` or ``problem``. The key
    tells the same files, command and base as the same; the environment is no part of it.
    """
    build = await image_build(body, box)
    check_build(build)
    check_environment(body.env)
    return told(
        lambda tell: box.images.prepare(
            build, tell, base=body.base, engine=body.engine or "", env=body.env
        ),
        lambda built: frame("built", wire.built(built)),
    )


@router.get("", dependencies=READ)
async def list_builds(box: TheBox) -> list[wire.BuildDocument]:
    """All that were made here or failed to be; those used last come first."""
    return [wire.build(one) for one in await box.images.builds()]


@router.delete("", dependencies=ADMIN)
async def prune_builds(unused: Unused, box: TheBox) -> list[wire.BuildDocument]:
    """Removes images that have not been used for a while, but those in use. Answers with them."""
    return [wire.build(one) for one in await box.images.prune(unused)]


@router.get("/{build}", dependencies=READ, responses={404: {}})
async def get_build(reference: Reference, box: TheBox) -> wire.BuildDocument:
    """One build, by its key or a beginning of it."""
    return wire.build(await box.images.build(reference))


@router.get("/{build}/log", dependencies=READ, response_class=Response, responses={404: {}})
async def get_build_log(reference: Reference, box: TheBox) -> StreamingResponse:
    """What the last try has printed so far, as it is."""
    key = (await box.images.build(reference)).key
    return StreamingResponse(box.images.build_log(key), media_type="application/octet-stream")


@router.get("/{build}/log/stream", dependencies=READ, response_class=EventStream)
async def stream_build_log(reference: Reference, box: TheBox) -> EventStream:
    """Server-sent events of type ``piece`` with what is printed, in base64; then ``end``."""
    key = (await box.images.build(reference)).key

    async def frames() -> AsyncIterator[bytes]:
        try:
            async with aclosing(box.images.build_log(key, follow=True)) as pieces:  # type: ignore[type-var]
                async for data in pieces:
                    yield frame("piece", {"data": base64.b64encode(data).decode()})
        except EvalboxError as error:
            yield frame("problem", problem(error, problems.status_of(error)))
        else:
            yield frame("end", {})

    return EventStream(frames())
