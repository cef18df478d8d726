"""Server-sent events: https://html.spec.whatwg.org/multipage/server-sent-events.html."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import aclosing
from typing import Any

from starlette.responses import StreamingResponse

#: Seconds of silence after which a comment shows that the connection lives.
HEARTBEAT = 15.0
_COMMENT = b": alive\n\n"
_encode = json.JSONEncoder(separators=(",", ":")).encode


def frame(event: str, data: Mapping[str, Any], *, id: int | None = None) -> bytes:  # noqa: A002
    """One event. ``id`` is what a client that reconnects sends as ``Last-Event-ID``."""
    number = "" if id is None else f"id: {id}\n"
    return f"{number}event: {event}\ndata: {_encode(data)}\n\n".encode()


class EventStream(StreamingResponse):
    media_type = "text/event-stream"

    def __init__(self, frames: AsyncIterator[bytes], status_code: int = 200) -> None:
        # Proxies are told not to hold back what comes.
        headers = {"X-Accel-Buffering": "no"}
        super().__init__(_alive(frames), status_code=status_code, headers=headers)


async def _alive(frames: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """``frames``, with a comment wherever nothing comes for a while."""
    async with aclosing(frames) as source:  # type: ignore[type-var]
        yield _COMMENT
        coming: asyncio.Future[bytes] | None = None
        try:
            while True:
                coming = coming or asyncio.ensure_future(anext(source))
                done, _ = await asyncio.wait((coming,), timeout=HEARTBEAT)
                if not done:
                    yield _COMMENT
                    continue
                try:
                    data = coming.result()
                except StopAsyncIteration:
                    return
                coming = None
                yield data
        finally:
            if coming is not None:
                coming.cancel()
                await asyncio.gather(coming, return_exceptions=True)
