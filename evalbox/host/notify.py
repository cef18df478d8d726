"""Tells systemd how the service stands, as ``sd_notify(3)`` has it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from collections.abc import AsyncIterator, Coroutine, Mapping
from typing import Any

_MICROSECONDS = 1_000_000
#: Seconds that a start which waits for another process asks for at a time.
_PATIENCE = 60.0


class Notifier:
    """Silent where no manager listens: without ``NOTIFY_SOCKET`` in the environment."""

    def __init__(self, environ: Mapping[str, str] = os.environ) -> None:
        path = environ.get("NOTIFY_SOCKET", "")
        # A name that begins with @ is of the kernel's own name space.
        self._address = f"\0{path[1:]}" if path.startswith("@") else path
        self._interval = _watchdog(environ) if path else None

    def ready(self, status: str) -> None:
        self._tell(f"READY=1\nMAINPID={os.getpid()}\nSTATUS={status}")

    def stopping(self, status: str, seconds: float) -> None:
        """``seconds`` is how long the end may take."""
        self._tell(f"STOPPING=1\n{_more_time(seconds)}\nSTATUS={status}")

    def status(self, status: str) -> None:
        self._tell(f"STATUS={status}")

    @contextlib.asynccontextmanager
    async def waiting(self) -> AsyncIterator[None]:
        """Keeps a manager patient during a block in which the service is not ready yet."""

        async def ask() -> None:
            while True:
                self._tell(_more_time(_PATIENCE))
                await asyncio.sleep(_PATIENCE / 3)

        async with _beside(ask()):
            yield

    @contextlib.asynccontextmanager
    async def watched(self) -> AsyncIterator[None]:
        """Shows a manager that asked for it that the event loop turns."""

        async def show(interval: float) -> None:
            while True:
                self._tell("WATCHDOG=1")
                await asyncio.sleep(interval / 2)

        if self._interval is None:
            yield
            return
        async with _beside(show(self._interval)):
            yield

    def _tell(self, text: str) -> None:
        if not self._address:
            return
        # A manager that is gone must not take the service with it.
        with (
            contextlib.suppress(OSError),
            socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel,
        ):
            channel.setblocking(False)
            channel.sendto(text.encode(), self._address)


@contextlib.asynccontextmanager
async def _beside(work: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    task = asyncio.create_task(work, name="notify")
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def _watchdog(environ: Mapping[str, str]) -> float | None:
    """Seconds within which a sign of life is expected."""
    wanted, process = environ.get("WATCHDOG_USEC", ""), environ.get("WATCHDOG_PID", "")
    if not wanted.isdigit() or int(wanted) == 0 or process not in ("", str(os.getpid())):
        return None
    return int(wanted) / _MICROSECONDS


def _more_time(seconds: float) -> str:
    return f"EXTEND_TIMEOUT_USEC={int(seconds * _MICROSECONDS)}"
