"""HTTP/1.1 as uvicorn speaks it, with bounds on what a client may do before it is known."""

from __future__ import annotations

import asyncio
import json
from http import HTTPStatus
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from evalbox.errors import EvalboxError, InvalidInput, TooLarge
from evalbox.wire.problem import MEDIA_TYPE, problem

#: Bytes and seconds that the head of a request may take.
MAX_HEAD, HEAD_SECONDS = 64 << 10, 30.0


class BoundedProtocol(HttpToolsProtocol):
    """Its parser would collect a head without end, and wait for it for ever."""

    _head_bytes = 0
    _head_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._begin_head()

    def connection_lost(self, exc: Exception | None) -> None:
        self._end_head()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self._head_timer is None or self.transport.is_closing():
            return
        self._head_bytes += len(data)
        if self._head_bytes > MAX_HEAD:
            self._refuse(431, TooLarge("the headers are too large"))

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._begin_head()

    def on_headers_complete(self) -> None:
        self._end_head()
        super().on_headers_complete()

    def send_400_response(self, msg: str) -> None:
        self._refuse(400, InvalidInput("this is not a request of HTTP/1.1"))

    def _begin_head(self) -> None:
        self._end_head()
        self._head_bytes = 0
        self._head_timer = self.loop.call_later(HEAD_SECONDS, self._too_slow)

    def _end_head(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _too_slow(self) -> None:
        self._refuse(408, InvalidInput(f"no request came within {HEAD_SECONDS:.0f} s"))

    def _refuse(self, status: int, error: EvalboxError) -> None:
        self._end_head()
        document: dict[str, Any] = problem(error, status)
        content = json.dumps(document).encode()
        head = (
            f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\n"
            f"content-type: {MEDIA_TYPE}\r\n"
            f"content-length: {len(content)}\r\n"
            "connection: close\r\n\r\n"
        )
        self.transport.write(head.encode() + content)
        self.transport.close()
