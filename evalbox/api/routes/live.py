"""The feed: events as they happen."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Header, Query
from starlette.requests import HTTPConnection
from starlette.responses import Response
from starlette.websockets import WebSocket
from typing_extensions import TypedDict

from evalbox.api.auth import requires
from evalbox.api.context import TheBox
from evalbox.api.feed.hub import Hub
from evalbox.api.feed.ring import Selection
from evalbox.api.feed.stream import FeedStream, feed, replay
from evalbox.api.sse import EventStream
from evalbox.domain.access import Scope
from evalbox.domain.text import MAX_TEXT
from evalbox.errors import InvalidInput

router = APIRouter(tags=["events"])
READ = [requires(Scope.READ)]
_MAX_SEQ = 1 << 62


class LastDocument(TypedDict):
    """``seq`` is that of the newest event, 0 where there is none."""

    seq: int


After = Annotated[
    int | None,
    Query(
        ge=0,
        le=_MAX_SEQ,
        description="Only what came after this seq; without it, what happens from now on",
    ),
]


async def _selection(
    evaluation: Annotated[str | None, Query(max_length=64, description="A full id")] = None,
    batch: Annotated[str | None, Query(max_length=MAX_TEXT)] = None,
) -> Selection:
    return Selection(evaluation, batch)


Selected = Annotated[Selection, Depends(_selection)]


async def _hub(connection: HTTPConnection) -> Hub:
    found: Hub = connection.app.state.hub
    return found


TheHub = Annotated[Hub, Depends(_hub)]


@router.get("/events/last", dependencies=READ)
async def get_last_seq(box: TheBox) -> LastDocument:
    """Where the log ends: with ``after`` at this seq, a feed begins now."""
    return {"seq": await box.last_seq()}


@router.get("/events/stream", dependencies=READ, response_class=EventStream)
async def stream_events(
    box: TheBox,
    hub: TheHub,
    selection: Selected,
    after: After = None,
    follow: Annotated[bool, Query(description="False: end with what there is")] = True,
    last_event_id: Annotated[str | None, Header(description="Counts before ``after``")] = None,
) -> Response:
    """Server-sent events of type ``event``, whose ``id`` is the seq: docs/feed.md has the rest."""
    after = after if last_event_id is None else _seq(last_event_id)
    if not follow:
        return await replay(box, selection, after or 0)
    return FeedStream(hub, selection, after)


@router.websocket("/feed", dependencies=READ)
async def follow_events(
    websocket: WebSocket, hub: TheHub, selection: Selected, after: After = None
) -> None:
    await feed(websocket, hub, selection, after)


def _seq(text: str) -> int:
    # Not isdigit alone, which takes digits that int() does not.
    if text.isascii() and text.isdigit() and int(text[:20]) <= _MAX_SEQ:
        return int(text[:20])
    raise InvalidInput("Last-Event-ID: must be the seq of an event", field="Last-Event-ID")
