"""Reaches a box that is served: by the socket of its data directory, or at a URL."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from urllib.parse import urlsplit

from evalbox.config.settings import Settings
from evalbox.errors import Busy, ConfigError, ServiceUnreachable
from evalbox.host.address import leaves_in_clear
from evalbox.host.sockets import NAME, short_path
from evalbox.service.box import Box

#: Seconds that a service has to take a connection on its socket.
_CONNECT = 5.0
#: Seconds that a box at a URL may be away, and the pauses between looks at whether it is back.
_AWAY = 30.0
_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 2.0

Note = Callable[[str], None]


async def attach(directory: Path, stack: AsyncExitStack) -> Box | None:
    """The box of a data directory, through its socket; None where nobody answers there.

    What is opened is closed with ``stack``.
    """
    if not _has_socket(directory):
        return None
    with contextlib.ExitStack() as near:
        path = near.enter_context(short_path(directory))
        if not await _answers(path):
            return None
        from evalbox.service.remote.box import RemoteBox
        from evalbox.service.remote.client import Client

        stack.push(near.pop_all())
        client = Client("http://box", socket=path, where=str(directory / NAME))
        return await stack.enter_async_context(RemoteBox(client))


def _has_socket(directory: Path) -> bool:
    return os.path.lexists(directory / NAME)


async def _answers(path: str) -> bool:
    """False for what a process that was killed has left."""
    try:
        async with asyncio.timeout(_CONNECT):
            _, writer = await asyncio.open_unix_connection(path)
    except (OSError, TimeoutError):
        return False
    writer.close()
    with contextlib.suppress(OSError):
        await writer.wait_closed()
    return True


async def reach(settings: Settings, stack: AsyncExitStack, *, on_note: Note) -> Box:
    """The box at the settings' URL, which may go away for half a minute once it has answered.

    Raises ``ConfigError`` for a URL that cannot be one, and ``ServiceUnreachable``.
    """
    check_url(settings.url)
    if settings.key and leaves_in_clear(settings.url):
        on_note(f"the key goes to {settings.url} readable on its way: better use https")
    from evalbox.service.remote.box import RemoteBox
    from evalbox.service.remote.client import Client
    from evalbox.service.remote.steady import SteadyBox

    client = Client(settings.url, key=settings.key, ca=settings.tls_ca)
    box = await stack.enter_async_context(RemoteBox(client))
    await client.greet()

    return SteadyBox(box, _Return(box, client.greet, on_note))


class _Return:
    """Waits for a box at a URL to be back. Raises what it failed with last."""

    def __init__(self, box: Box, greet: Callable[[], Awaitable[None]], note: Note) -> None:
        self._box = box
        self._greet = greet
        self._note = note
        self._pause = _FIRST_PAUSE
        self._back_at = -_AWAY

    async def __call__(self, error: ServiceUnreachable) -> Box:
        now = asyncio.get_running_loop().time
        # One that ends still answers for a moment, which is no return.
        if now() - self._back_at > _LONGEST_PAUSE:
            self._note(f"{error.message}; trying for {_AWAY:.0f} s to reach it again")
            self._pause = _FIRST_PAUSE
        end = now() + _AWAY
        while True:
            await asyncio.sleep(self._pause)
            self._pause = min(self._pause * 2, _LONGEST_PAUSE)
            try:
                await self._greet()
            except (ServiceUnreachable, Busy):
                if now() >= end:
                    raise
            else:
                self._back_at = now()
                return self._box


def check_url(url: str) -> None:
    """Raises ``ConfigError``."""
    hint = "write it as in http://box:8420"
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise ConfigError(f"the URL {url[:200]!r} cannot be read", hint=hint) from error
    if parts.scheme not in ("http", "https") or not parts.hostname or port == 0:
        raise ConfigError(f"the URL {url[:200]!r} is not one of a box", hint=hint)
    if parts.username is not None or parts.query or parts.fragment:
        raise ConfigError(
            "the URL of a box has no user, query or fragment", hint="the key goes into EVALBOX_KEY"
        )
