"""``/sandboxes``: sandboxes that are kept, to run programs in and to exchange files with."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator
from dataclasses import replace
from functools import partial
from typing import Annotated

from fastapi import APIRouter, Path, Query, Request, Response
from starlette.requests import ClientDisconnect
from starlette.types import Receive, Send
from starlette.types import Scope as AsgiScope
from starlette.websockets import WebSocket

from evalbox.api import problems
from evalbox.api.auth import requires
from evalbox.api.bodies import upload
from evalbox.api.context import TheBox
from evalbox.api.conversation import converse
from evalbox.api.paging import Cursor, Limit, Page
from evalbox.api.responses import download, octets
from evalbox.api.sandbox_models import ExecBody, KeepBody, SandboxBody
from evalbox.api.sse import EventStream, frame
from evalbox.domain.access import Scope
from evalbox.domain.sandbox import MAX_FILE, SandboxFilter
from evalbox.domain.text import MAX_TEXT
from evalbox.errors import EvalboxError, InvalidInput
from evalbox.service.sandbox_box import SandboxExec
from evalbox.wire import sandboxes as wire
from evalbox.wire.problem import problem
from evalbox.wire.sandboxes import EntryDocument, ExecDocument, SandboxDocument

router = APIRouter(prefix="/sandboxes", tags=["sandboxes"])
READ, SUBMIT = [requires(Scope.READ)], [requires(Scope.SUBMIT)]

Reference = Annotated[
    str,
    Path(
        alias="sandbox",
        min_length=1,
        max_length=MAX_TEXT,
        description="An id, an unambiguous beginning of one, or the name of one that lives",
    ),
]
Place = Annotated[str, Query(min_length=1, max_length=4095, description="An absolute path")]
User = Annotated[
    str | None,
    Query(
        min_length=1,
        max_length=MAX_TEXT,
        description="UID[:GID], or names that the sandbox knows; its own by default",
    ),
]
Mode = Annotated[str, Query(pattern=r"^[0-7]{3,4}$", description="Octal, as in 644")]
_BODY = {
    "requestBody": {
        "required": True,
        "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
    }
}


@router.post("", status_code=201, dependencies=SUBMIT)
async def create_sandbox(body: SandboxBody, box: TheBox, response: Response) -> SandboxDocument:
    """Starts a sandbox, and answers once programs can run in it.

    It is removed at its deadline at the latest. 503 where there is no room for it.
    """
    made = await box.sandboxes.create(body.spec())
    response.headers["Location"] = f"/api/v1/sandboxes/{made.id}"
    return wire.sandbox(made)


@router.get("", dependencies=READ)
async def list_sandboxes(
    box: TheBox,
    label: Annotated[list[str] | None, Query(description="KEY=VALUE; all must match")] = None,
    ended: Annotated[bool, Query(description="Those of the last day that have ended, too")] = False,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> Page[SandboxDocument]:
    """Sandboxes, the newest first."""
    query = SandboxFilter(labels=dict(_pair(text) for text in label or ()), ended=ended)
    found = await box.sandboxes.list(query, limit=limit, after=cursor)
    return {
        "items": [wire.sandbox(one) for one in found],
        "next": found[-1].id if len(found) == limit else None,
    }


@router.get("/{sandbox}", dependencies=READ)
async def get_sandbox(reference: Reference, box: TheBox) -> SandboxDocument:
    """One sandbox; one that has ended is told of for a day, with the reason."""
    return wire.sandbox(await box.sandboxes.get(reference))


@router.delete("/{sandbox}", status_code=204, dependencies=SUBMIT)
async def delete_sandbox(reference: Reference, box: TheBox) -> Response:
    """Kills all that runs in it, and removes it. Deleting what has ended is fine."""
    await box.sandboxes.remove(reference)
    return Response(status_code=204)


@router.post("/{sandbox}/keepalive", dependencies=SUBMIT)
async def keep_sandbox(reference: Reference, body: KeepBody, box: TheBox) -> SandboxDocument:
    """Counts as use, which every program and every file is, too; may set a new deadline."""
    return wire.sandbox(await box.sandboxes.keep(reference, body.lifetime))


@router.post("/{sandbox}/exec", dependencies=SUBMIT)
async def run_in_sandbox(reference: Reference, body: ExecBody, box: TheBox) -> ExecDocument:
    """Runs a program to its end, and tells what it printed.

    At its timeout everything that it started is killed. A WebSocket at this path streams instead,
    both ways: docs/sandboxes.md has its messages.
    """
    report = await box.sandboxes.run(reference, body.spec(), body.given(), limit=body.max_output)
    return wire.exec_report(report)


@router.post("/{sandbox}/exec/stream", dependencies=SUBMIT, response_class=EventStream)
async def stream_in_sandbox(
    reference: Reference, body: ExecBody, box: TheBox, request: Request
) -> EventStream:
    """Runs a program, and tells what it prints as it comes.

    Server-sent events of type ``output``, with stream and base64, then one of type ``exit``, or of
    type ``error`` with a problem. A client that goes away ends the program.
    """
    given = body.given()
    running = await box.sandboxes.exec(reference, replace(body.spec(), stdin=bool(given)))
    return _ExecStream(running, given, problems.request_id(request))


@router.websocket("/{sandbox}/exec", dependencies=SUBMIT)
async def converse_with_sandbox(websocket: WebSocket, reference: Reference, box: TheBox) -> None:
    # Where there is no such sandbox, the connection is not even taken.
    found = await box.sandboxes.get(reference)
    await converse(websocket, partial(box.sandboxes.exec, found.id))


@router.get(
    "/{sandbox}/files",
    dependencies=SUBMIT,
    response_class=Response,
    responses=octets("The content"),
)
async def read_file(reference: Reference, path: Place, box: TheBox, user: User = None) -> Response:
    """The content of a regular file of at most 100 MiB. It counts as use."""
    return await download(box.sandboxes.read(reference, path, user=user))


@router.put("/{sandbox}/files", status_code=204, dependencies=SUBMIT, openapi_extra=_BODY)
@upload(MAX_FILE)
async def write_file(
    reference: Reference,
    path: Place,
    request: Request,
    box: TheBox,
    mode: Mode = "644",
    user: User = None,
) -> Response:
    """Puts the body, of at most 100 MiB, there as a file, whole or not at all.

    Directories that are missing above it are made; what was there is replaced.
    """
    await box.sandboxes.write(reference, path, _received(request), mode=int(mode, 8), user=user)
    return Response(status_code=204)


@router.get("/{sandbox}/directory", dependencies=SUBMIT)
async def list_directory(
    reference: Reference, path: Place, box: TheBox, user: User = None
) -> list[EntryDocument]:
    """What a directory holds, by name."""
    return [wire.entry(one) for one in await box.sandboxes.entries(reference, path, user=user)]


class _ExecStream(EventStream):
    """What a program prints; it is killed where the client goes, however early that is."""

    def __init__(self, running: SandboxExec, given: bytes, request_id: str) -> None:
        super().__init__(_frames(running, given, request_id))
        self._running = running

    async def __call__(self, scope: AsgiScope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            await self._running.close()


async def _frames(running: SandboxExec, given: bytes, request_id: str) -> AsyncIterator[bytes]:
    async def feed() -> None:
        await running.write(given)
        await running.close_stdin()

    feeding = asyncio.create_task(feed(), name="exec-stdin")
    try:
        async for piece in running.output():
            data = base64.b64encode(piece.data).decode()
            yield frame("output", {"stream": wire.STREAMS[piece.stream], "data": data})
        yield frame("exit", wire.exec_end(await running.wait()))
    except EvalboxError as error:
        yield frame("error", problem(error, problems.status_of(error), request_id=request_id))
    finally:
        feeding.cancel()
        await asyncio.gather(feeding, return_exceptions=True)


async def _received(request: Request) -> AsyncIterator[bytes]:
    announced = request.headers.get("content-length", "")
    size = 0
    try:
        async for data in request.stream():
            size += len(data)
            if data:
                yield data
    except ClientDisconnect:
        raise InvalidInput("the upload broke off", hint="send it again") from None
    if announced.isdigit() and size != int(announced):
        raise InvalidInput("the upload broke off", hint="send it again")


def _pair(text: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if not equals:
        raise InvalidInput(f"label: {text[:60]!r} is not KEY=VALUE", field="label")
    return key, value
