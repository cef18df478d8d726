"""Answers that are not JSON, and what routes say of them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import aclosing
from typing import Any

from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

#: As FastAPI takes it: what is said of each status.
Responses = dict[int | str, dict[str, Any]]


def octets(description: str) -> Responses:
    """An answer that is bytes."""
    return {200: {"content": {"application/octet-stream": {}}, "description": description}}


async def download(
    pieces: AsyncIterator[bytes], headers: Mapping[str, str] | None = None
) -> StreamingResponse:
    """``pieces`` as bytes to be kept, never to be shown by a browser.

    What is wrong with them is raised here if it shows before the first piece.
    """
    return _Download(await anext(pieces, b""), pieces, headers or {})


class _Download(StreamingResponse):
    """Closes ``rest`` even where the client was gone before the first byte."""

    media_type = "application/octet-stream"

    def __init__(
        self, first: bytes, rest: AsyncIterator[bytes], headers: Mapping[str, str]
    ) -> None:
        super().__init__(
            _joined(first, rest), headers={"Content-Disposition": "attachment", **headers}
        )
        self._rest = rest

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async with aclosing(self._rest):  # type: ignore[type-var]
            await super().__call__(scope, receive, send)


async def _joined(first: bytes, rest: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    if first:
        yield first
    async for data in rest:
        yield data
