"""``/evaluations/{id}/output``: what an evaluation printed, as bytes and as it comes."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Annotated, Literal

from fastapi import APIRouter, Header, Query, Request
from starlette.responses import Response, StreamingResponse

from evalbox.api import problems
from evalbox.api.auth import requires
from evalbox.api.context import TheBox
from evalbox.api.references import EvaluationId, MaybeAttempt
from evalbox.api.responses import Responses, octets
from evalbox.api.sse import EventStream, frame
from evalbox.domain.access import Scope
from evalbox.errors import InvalidInput, NotFound
from evalbox.service.box import Box
from evalbox.wire import document
from evalbox.wire.document import STREAMS

router = APIRouter(prefix="/evaluations/{id}/output", tags=["evaluations"])
READ = [requires(Scope.READ)]

StreamName = Literal["all", "stdout", "stderr"]
_RANGE = re.compile(r"bytes=(\d{1,18})-(\d{0,18})")
_BYTES: Responses = {
    **octets("All that is kept"),
    206: {"content": {"application/octet-stream": {}}, "description": "The bytes asked for"},
    416: {},
}


@router.get("", dependencies=READ, response_class=Response, responses=_BYTES)
async def get_output(
    request: Request,
    evaluation_id: EvaluationId,
    box: TheBox,
    attempt: MaybeAttempt = None,
    stream: StreamName = "all",
    range_header: Annotated[str | None, Header(alias="Range")] = None,
) -> Response:
    """The kept output as it came, of both streams together or of one.

    ``Range: bytes=FIRST-LAST`` gives a part of it; positions are those of the stream asked for.
    """
    await _check_attempt(box, evaluation_id, attempt)
    first, last = _range(range_header)
    pieces = _wanted(box, evaluation_id, attempt, stream)
    headers = {"Accept-Ranges": "bytes", "Content-Disposition": "attachment"}
    media = "application/octet-stream"
    if range_header is None:
        return StreamingResponse(pieces, media_type=media, headers=headers)
    body, total = await _cut(pieces, first, last)
    if not body:
        return _behind_the_end(request, first, total)
    headers["Content-Range"] = f"bytes {first}-{first + len(body) - 1}/{total}"
    return Response(body, status_code=206, media_type=media, headers=headers)


@router.get("/stream", dependencies=READ, response_class=EventStream)
async def stream_output(
    evaluation_id: EvaluationId,
    box: TheBox,
    attempt: MaybeAttempt = None,
    offset: Annotated[int, Query(ge=0, le=1 << 62)] = 0,
    follow: bool = True,
) -> EventStream:
    """Server-sent events of type ``piece``: stretches of output with stream, time and base64.

    With ``follow`` it goes on, over retries too, until the evaluation has ended; then an event of
    type ``end`` closes it.
    """
    await _check_attempt(box, evaluation_id, attempt)

    async def frames() -> AsyncIterator[bytes]:
        pieces = box.output(evaluation_id, attempt=attempt, offset=offset, follow=follow)
        async for piece in pieces:
            yield frame("piece", document.piece(piece))
        yield frame("end", {})

    return EventStream(frames())


async def _check_attempt(box: Box, evaluation_id: str, attempt: int | None) -> None:
    # The first may be waited for before it has begun.
    if attempt is not None and attempt > max(1, (await box.get(evaluation_id)).attempts):
        raise NotFound(f"evaluation {evaluation_id} has no attempt {attempt}")


def _range(header: str | None) -> tuple[int, int | None]:
    if header is None:
        return 0, None
    match = _RANGE.fullmatch(header.strip())
    if match is None:
        raise InvalidInput(
            f"Range: {header[:60]!r} is not usable", hint="send bytes=FIRST-LAST", field="Range"
        )
    first, last = int(match[1]), int(match[2]) if match[2] else None
    if last is not None and last < first:
        raise InvalidInput("Range: ends before it begins", field="Range")
    return first, last


def _behind_the_end(request: Request, first: int, total: int) -> Response:
    error = InvalidInput(f"Range: there are {total} bytes, and none at {first}", field="Range")
    answer = problems.response(error, request_id=problems.request_id(request), status=416)
    answer.headers["Content-Range"] = f"bytes */{total}"
    return answer


async def _wanted(
    box: Box, evaluation_id: str, attempt: int | None, stream: StreamName
) -> AsyncIterator[bytes]:
    async for piece in box.output(evaluation_id, attempt=attempt):
        if stream in ("all", STREAMS[piece.stream]):
            yield piece.data


#: The most that one answer to a range holds, in bytes; clients ask on from there.
MAX_RANGE = 16 << 20


async def _cut(pieces: AsyncIterator[bytes], first: int, last: int | None) -> tuple[bytes, int]:
    """The bytes from ``first`` to ``last``, and how many there are in all."""
    end = first + MAX_RANGE if last is None else min(last + 1, first + MAX_RANGE)
    found, position = [], 0
    async with aclosing(pieces) as source:  # type: ignore[type-var]
        async for data in source:
            if position < end and position + len(data) > first:
                found.append(data[max(0, first - position) : end - position])
            position += len(data)
    return b"".join(found), position
