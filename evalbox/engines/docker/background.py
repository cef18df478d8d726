"""Work that is finished even where the one who asked for it has gone."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from typing import Any, TypeVar

from evalbox.errors import EvalboxError

T = TypeVar("T")


class Background:
    """Owns tasks; ``close`` waits for them."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[Any]] = set()

    def start(self, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        """A task whose failure is nobody's surprise if nobody asks for it."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    async def finish(self, work: Coroutine[Any, Any, T]) -> T:
        """The result of ``work``, which goes on to its end when the caller is cancelled."""
        return await asyncio.shield(self.start(work))

    async def make(self, work: Coroutine[Any, Any, T], undo: Callable[[T], Awaitable[None]]) -> T:
        """Like ``finish``, but undoes what was made when the caller is cancelled."""
        task = self.start(work)
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            self.start(_undone(task, undo))
            raise

    async def close(self) -> None:
        """Waits until everything has ended, what that begins included."""
        while self._tasks:
            await asyncio.wait(set(self._tasks))

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled():
            task.exception()


async def _undone(task: asyncio.Task[T], undo: Callable[[T], Awaitable[None]]) -> None:
    with suppress(EvalboxError):
        await undo(await task)
