"""Serves the API: uvicorn on sockets of ours, without its signals, logs and lifespan."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Iterator

import uvicorn
from starlette.types import ASGIApp

from evalbox.errors import ServiceError
from evalbox.host.farewell import Farewell
from evalbox.host.protocol import BoundedProtocol, Patience, PatientWebSocket

#: Seconds that requests under way get when the service stops; streams are ended before.
_GRACE = 2
_KEEP_ALIVE = 75
_MAX_MESSAGE = 1 << 20
#: Of TLS 1.2. What uvicorn takes by itself has suites without a certificate, and without a cipher.
_CIPHERS = "ECDHE+AESGCM:ECDHE+CHACHA20"


class _Uvicorn(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Signals are for those who started the service."""
        yield


class Server:
    """One application on one socket, from ``start`` to ``stop``."""

    def __init__(
        self,
        app: ASGIApp,
        listener: socket.socket,
        *,
        tls_cert: str = "",
        tls_key: str = "",
    ) -> None:
        self._listener = listener
        self._app = Farewell(app)
        self._server = _Uvicorn(
            uvicorn.Config(
                self._app,
                http=BoundedProtocol,
                ws=PatientWebSocket,
                lifespan="off",
                log_config=None,
                access_log=False,
                server_header=False,
                proxy_headers=False,
                timeout_keep_alive=_KEEP_ALIVE,
                timeout_graceful_shutdown=_GRACE,
                ws_max_size=_MAX_MESSAGE,
                # A feed of small messages gains nothing that is worth the time of packing.
                ws_per_message_deflate=False,
                ssl_certfile=tls_cert or None,
                ssl_keyfile=tls_key or None,
                ssl_ciphers=_CIPHERS,
            )
        )
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Returns when it answers."""
        self._task = asyncio.create_task(self._server.serve([self._listener]), name="api-server")
        while not self._server.started:
            done, _ = await asyncio.wait((self._task,), timeout=0.005)
            if done:
                error = self._task.exception()
                raise ServiceError(f"the API cannot be served: {error or 'it ended'}")

    async def stop(self) -> None:
        """Takes no more requests, and lets those under way end within a few seconds."""
        for connection in list(self._server.server_state.connections):
            # Its request could end only once the client reads.
            if isinstance(connection, Patience) and connection.stalled:
                connection.transport.abort()
        self._app.ending = True
        self._server.should_exit = True
        if self._task is not None:
            await asyncio.gather(self._task, return_exceptions=True)
        self._listener.close()
