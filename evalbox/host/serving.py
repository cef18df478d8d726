"""A box and its faces: the API on the socket of the data directory, and on TCP where asked for."""

from __future__ import annotations

import socket
from types import TracebackType
from typing import Self

from evalbox.api.app import Application
from evalbox.config.settings import Settings
from evalbox.domain.clock import Clock
from evalbox.host.server import Server
from evalbox.host.sockets import NAME, listen_unix
from evalbox.service.local import LocalBox


class Serving:
    """Serves ``box``, which stays the caller's, for the length of a block.

    To be used by the process that holds the lock of the data directory. ``listener`` is a TCP
    socket that listens already; it becomes ours to close.
    """

    def __init__(
        self,
        box: LocalBox,
        settings: Settings,
        *,
        listener: socket.socket | None = None,
        clock: Clock | None = None,
    ) -> None:
        self._settings = settings
        self._application = Application(
            box,
            settings,
            authentication=box.authentication,
            clock=clock,
            metrics=box.metrics,
        )
        self._listener = listener
        self._servers: list[Server] = []

    async def __aenter__(self) -> Self:
        settings = self._settings
        await self._application.start()
        try:
            unix = listen_unix(settings.data_dir)
            await self._serve(Server(self._application.for_socket, unix))
            if self._listener is not None:
                await self._serve(
                    Server(
                        self._application.for_network,
                        self._listener,
                        tls_cert=settings.tls_cert,
                        tls_key=settings.tls_key,
                    )
                )
        except BaseException:
            await self.__aexit__()
            raise
        return self

    async def _serve(self, server: Server) -> None:
        self._servers.append(server)
        await server.start()

    async def __aexit__(
        self,
        kind: type[BaseException] | None = None,
        error: BaseException | None = None,
        traceback: TracebackType | None = None,
    ) -> None:
        # Who looks for a service from now on is to find the next one.
        (self._settings.data_dir / NAME).unlink(missing_ok=True)
        # Before the servers, which would wait for the streams that this ends.
        await self._application.stop()
        for server in self._servers:
            await server.stop()
