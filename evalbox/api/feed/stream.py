"""A reader of the feed at the other end of a connection."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Coroutine
from contextlib import aclosing, asynccontextmanager
from typing import Any, TypeVar

from starlette.responses import Response
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocket, WebSocketDisconnect

from evalbox.api.feed.encoding import COMPLETE, FRAMED, SERVER_SENT
from evalbox.api.feed.hub import Hub, check_reached, read
from evalbox.api.feed.reader import PAGE, Write
from evalbox.api.feed.ring import Selection, chunk, entry
from evalbox.api.sse import EventStream
from evalbox.service.box import Box

T = TypeVar("T")

#: The extension of ASGI with which a server takes what is framed already.
WRITE = "evalbox.write"
#: Close codes of RFC 6455: what the client did, and that the service goes away.
GOING_AWAY, NO_BINARY, NOT_JSON, NO_MESSAGES = 1001, 1003, 1007, 1008


class FeedStream(Response):
    """The feed as server-sent events, until the client goes or the service stops."""

    media_type = EventStream.media_type

    def __init__(self, hub: Hub, selection: Selection, after: int | None) -> None:
        super().__init__(headers={"X-Accel-Buffering": "no"})
        del self.headers["content-length"]
        self._hub = hub
        self._selection = selection
        self._after = after

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async with (
            self._hub.reading(self._selection, self._after) as reader,
            _beside(_gone(receive)) as gone,
        ):
            gone.add_done_callback(lambda _: reader.close())
            await send(
                {
                    "type": "http.response.start",
                    "status": self.status_code,
                    "headers": self.raw_headers,
                }
            )
            async with aclosing(reader.chunks(SERVER_SENT, _write(scope))) as chunks:  # type: ignore[type-var]
                async for payload in chunks:
                    await send({"type": "http.response.body", "body": payload, "more_body": True})
            await send({"type": "http.response.body", "body": b"", "more_body": False})


async def replay(box: Box, selection: Selection, after: int) -> EventStream:
    """What there is after ``after``. Raises ``InvalidInput`` where that is yet to come."""
    await check_reached(box, after)

    async def frames() -> AsyncIterator[bytes]:
        position = after
        while page := await read(box, selection, position, PAGE):
            entries = [entry(event) for event in page]
            while entries:
                made = chunk(entries, SERVER_SENT.events)
                position = made.last
                entries = [item for item in entries if item.seq > position]
                yield made.payload
        yield SERVER_SENT.end(COMPLETE)

    return EventStream(frames())


async def feed(websocket: WebSocket, hub: Hub, selection: Selection, after: int | None) -> None:
    """The feed over a WebSocket, which is accepted only where it can be had."""
    async with hub.reading(selection, after) as reader:
        await websocket.accept()
        async with _beside(_violation(websocket)) as heard:
            heard.add_done_callback(lambda _: reader.close())
            try:
                async with aclosing(reader.chunks(FRAMED, _write(websocket.scope))) as chunks:  # type: ignore[type-var]
                    async for text in chunks:
                        await websocket.send({"type": "websocket.send", "text": text})
                ending = heard.result() if heard.done() else (GOING_AWAY, "the service is stopping")
                if ending is not None:
                    await websocket.close(*ending)
            except WebSocketDisconnect:
                return


def _write(scope: Scope) -> Write | None:
    found: Write | None = scope.get("extensions", {}).get(WRITE, {}).get("write")
    return found


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _violation(websocket: WebSocket) -> tuple[int, str] | None:
    """With what code and reason a message is answered, None where the client has gone."""
    message = await websocket.receive()
    if message["type"] == "websocket.disconnect":
        return None
    text = message.get("text")
    if text is None:
        return NO_BINARY, "binary messages are not understood"
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return NOT_JSON, "the message is not JSON"
    return NO_MESSAGES, "the feed takes no messages"


@asynccontextmanager
async def _beside(work: Coroutine[Any, Any, T]) -> AsyncIterator[asyncio.Task[T]]:
    """A task for the length of a block."""
    task = asyncio.create_task(work)
    try:
        yield task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
