"""HTTP/1.1 and WebSockets as uvicorn speaks them, with bounds on what a client may do."""

from __future__ import annotations

import asyncio
import json
from http import HTTPStatus
from typing import Any

from uvicorn._types import ASGISendEvent
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.http11 import Request

from evalbox.api.feed.stream import WRITE
from evalbox.errors import EvalboxError, InvalidInput, TooLarge
from evalbox.wire.problem import MEDIA_TYPE, problem

#: Bytes and seconds that the head of a request may take.
MAX_HEAD, HEAD_SECONDS = 64 << 10, 30.0
#: Seconds that a client may leave what it was sent unread, once there is no room for more.
PATIENCE = 30.0


class Patience:
    """Cuts off a client that does not take what it asked for; who reads slowly is waited for."""

    loop: asyncio.AbstractEventLoop
    transport: asyncio.Transport
    _stalled: asyncio.TimerHandle | None = None

    @property
    def stalled(self) -> bool:
        return self._stalled is not None

    def write(self, framed: bytes) -> bool:
        """Sends what belongs to the answer under way, framed as it has to be.

        False where the client has to be waited for, or has gone: then nothing was sent.
        """
        if self.stalled or self.transport.is_closing():
            return False
        self.transport.write(framed)
        return True

    def pause_writing(self) -> None:
        self._stalled = self.loop.call_later(PATIENCE, self.transport.abort)
        super().pause_writing()  # type: ignore[misc]

    def resume_writing(self) -> None:
        self._unstall()
        super().resume_writing()  # type: ignore[misc]

    def connection_lost(self, exc: Exception | None) -> None:
        self._unstall()
        super().connection_lost(exc)  # type: ignore[misc]

    def _unstall(self) -> None:
        if self._stalled is not None:
            self._stalled.cancel()
            self._stalled = None


class PatientWebSocket(Patience, WebSocketsSansIOProtocol):
    """Its own way with text that is none would be a traceback in the log."""

    def handle_connect(self, event: Request) -> None:
        super().handle_connect(event)
        if not self.close_sent:
            self.scope["extensions"][WRITE] = {"write": self.write}

    def send_receive_event_to_app(self) -> None:
        if self.curr_msg_data_type == "text":
            try:
                b"".join(self.frames).decode()
            except UnicodeDecodeError:
                self.frames = []
                self.conn.fail(1007, "text has to be UTF-8")
                self.handle_parser_exception()
                return
        super().send_receive_event_to_app()

    async def send(self, message: ASGISendEvent) -> None:
        await super().send(message)
        if message["type"] == "websocket.http.response.body" and not message.get("more_body"):
            # A handshake that was declined is over too; it would be called a mistake in the log.
            self.handshake_complete = True


class BoundedProtocol(Patience, HttpToolsProtocol):
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
        self.scope["extensions"] = {WRITE: {"write": self.write}}
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
