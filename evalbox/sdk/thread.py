"""An event loop in a thread of its own, for those who have none or must not block theirs."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import AbstractAsyncContextManager, contextmanager
from typing import Any, Generic, TypeVar

from evalbox.errors import InvalidInput

T = TypeVar("T")


class LoopThread:
    """From ``start`` to ``stop``. What is called is safe from any thread but its own."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        # A program that ends without closing its box must end, not wait for this thread.
        self._thread = threading.Thread(target=self._run, name="evalbox", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            self._loop.run_forever()
            self._loop.run_until_complete(self._loop.shutdown_asyncgens())
            self._loop.run_until_complete(self._loop.shutdown_default_executor())
        finally:
            self._loop.close()

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()

    def call(self, work: Coroutine[Any, Any, T]) -> T:
        """What ``work`` gives; when this is interrupted, ``work`` is cancelled."""
        if threading.current_thread() is self._thread:
            work.close()
            raise InvalidInput(
                "the box was called from one of its own callbacks", hint="use AsyncBox there"
            )
        future = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return future.result()
        except BaseException:
            future.cancel()
            raise

    def iterate(self, source: Callable[[], AsyncIterator[T]]) -> Iterator[T]:
        """What ``source`` gives, one by one, as it is asked for."""
        pulled = _Pulled(source())
        try:
            while items := self.call(pulled.next()):
                yield from items
        finally:
            self.call(pulled.close())

    @contextmanager
    def entered(self, manager: AbstractAsyncContextManager[T]) -> Iterator[T]:
        """``manager`` around a block: entered and left by one task, as some must be."""
        visit = _Visit(manager, self._loop)
        owner = asyncio.run_coroutine_threadsafe(visit.own(), self._loop)
        try:
            made = self.call(visit.made())
            try:
                yield made
            except BaseException:
                self._loop.call_soon_threadsafe(visit.abandon)
                owner.result()
                raise
            self._loop.call_soon_threadsafe(visit.end)
            owner.result()
        finally:
            # Interrupted, while it was opened or closed.
            owner.cancel()
            visit.over.wait()


class _Pulled(Generic[T]):
    """An asynchronous iterator that is closed no sooner than it has come to rest."""

    def __init__(self, items: AsyncIterator[T]) -> None:
        self._items = items
        self._lock = asyncio.Lock()

    async def next(self) -> tuple[T] | None:
        async with self._lock:
            try:
                return (await anext(self._items),)
            except StopAsyncIteration:
                return None

    async def close(self) -> None:
        async with self._lock:
            close = getattr(self._items, "aclose", None)
            if close is not None:
                await close()


class _Visit(Generic[T]):
    """One stay in a context manager, told from another thread when to end."""

    def __init__(
        self, manager: AbstractAsyncContextManager[T], loop: asyncio.AbstractEventLoop
    ) -> None:
        self._manager = manager
        self._made: asyncio.Future[T] = loop.create_future()
        self._ending: asyncio.Future[None] = loop.create_future()
        #: Set when the manager has been left.
        self.over = threading.Event()

    async def own(self) -> None:
        try:
            async with self._manager as made:
                self._made.set_result(made)
                await self._ending
        except _Abandoned:
            return
        except BaseException as error:
            if self._made.done():
                raise
            self._made.set_exception(error)
        finally:
            self.over.set()

    async def made(self) -> T:
        return await self._made

    def end(self) -> None:
        if not self._ending.done():
            self._ending.set_result(None)

    def abandon(self) -> None:
        if not self._ending.done():
            self._ending.set_exception(_Abandoned())


class _Abandoned(Exception):
    """The block was left by an error."""
