"""Ctrl-C and SIGTERM: the first asks for an orderly end, the second leaves at once."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from typing import Any

from evalbox.cli.status import INTERRUPTED

#: Seconds that leaving at once may take.
_AT_ONCE = 3.0
_SIGNALS = (signal.SIGINT, signal.SIGTERM)


@asynccontextmanager
async def on_interrupt(first: Callable[[], Awaitable[None]]) -> AsyncIterator[None]:
    """The first signal calls ``first`` beside the body, the second cancels the body."""
    loop = asyncio.get_running_loop()
    body = asyncio.current_task()
    begun: list[asyncio.Future[None]] = []

    def interrupted() -> None:
        if not begun:
            begun.append(asyncio.ensure_future(first()))
            return
        if body is not None:
            body.cancel()
        # A terminal that does not read may hold a thread that nothing else can end.
        loop.call_later(_AT_ONCE, os._exit, INTERRUPTED)

    for number in _SIGNALS:
        loop.add_signal_handler(number, interrupted)
    try:
        yield
    finally:
        for number in _SIGNALS:
            loop.remove_signal_handler(number)
        for task in begun:
            if not task.done():
                task.cancel()
            with suppress(asyncio.CancelledError):
                await task


@asynccontextmanager
async def beside(work: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    """Runs ``work`` beside the body, and no longer than that."""
    task = asyncio.ensure_future(work)
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
