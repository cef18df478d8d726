"""An event loop in a thread of its own, for those who have none or must not block theirs."""

from __future__ import annotations

import asyncio
import atexit
import sys
import threading
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import AbstractAsyncContextManager, contextmanager
from typing import Any, Generic, TypeVar

from evalbox.errors import InvalidInput

T = TypeVar("T")

#: Seconds that what was interrupted has to end.
_GRACE = 10.0


class LoopThread:
    """From ``start`` to ``stop``, once. What is called is safe from any thread but its own."""

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._abandoned = False
        # A program that ends without closing its box must end, not wait for this thread.
        self._thread = threading.Thread(target=self._run, name="evalbox", daemon=True)

    def start(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread.start()
        atexit.register(self._abandon)

    def _run(self) -> None:
        loop = self._running()
        asyncio.set_event_loop(loop)
        try:
            loop.run_forever()
            loop.run_until_complete(loop.shutdown_asyncgens())
            if not self._abandoned:
                loop.run_until_complete(loop.shutdown_default_executor())
        finally:
            loop.close()

    def _abandon(self) -> None:
        """The program ends without having closed what is open: it is let go of, without waiting."""
        loop = self._running()
        self._abandoned = True

        async def cancel() -> None:
            others = asyncio.all_tasks() - {asyncio.current_task()}
            for task in others:
                task.cancel()
            if others:
                await asyncio.wait(others, timeout=_GRACE)

        _Call(cancel(), loop).over.wait(_GRACE)
        self.stop()

    def stop(self) -> None:
        atexit.unregister(self._abandon)
        loop, self._loop = self._running(), None
        loop.call_soon_threadsafe(loop.stop)
        self._thread.join()

    def _running(self) -> asyncio.AbstractEventLoop:
        if self._loop is None:
            raise InvalidInput("the box is not open", hint="use it as in: with Box() as box")
        return self._loop

    def call(self, work: Coroutine[Any, Any, T]) -> T:
        """What ``work`` gives; when this is interrupted, ``work`` is cancelled."""
        try:
            loop = self._running()
            if threading.current_thread() is self._thread:
                raise InvalidInput(
                    "the box was called from one of its own callbacks", hint="use AsyncBox there"
                )
        except InvalidInput:
            work.close()
            raise
        call = _Call(work, loop)
        try:
            call.over.wait()
        except BaseException:
            call.cancel()
            call.over.wait(_GRACE)
            raise
        return call.result()

    def iterate(self, source: Callable[[], AsyncIterator[T]]) -> Iterator[T]:
        """What ``source`` gives, one by one, as it is asked for."""
        pulled = _Pulled(source())
        try:
            while items := self.call(pulled.next()):
                yield from items
        finally:
            self._let_go(pulled)

    def _let_go(self, pulled: _Pulled[Any]) -> None:
        if self._loop is None or sys.is_finalizing():
            return
        if threading.current_thread() is self._thread:
            # An iterator that nobody has any more may be collected in any thread.
            _Call(pulled.close(), self._loop)
            return
        self.call(pulled.close())

    @contextmanager
    def entered(self, manager: AbstractAsyncContextManager[T]) -> Iterator[T]:
        """``manager`` around a block: entered and left by one task, as some must be."""
        loop = self._running()
        visit = _Visit(manager, loop)
        stay = _Call(visit.own(), loop)
        with _ended(stay):
            made = self.call(visit.made())
        try:
            yield made
        except GeneratorExit:
            # Nobody left the block, it was collected: there may be no loop any more to wait for.
            if not sys.is_finalizing():
                loop.call_soon_threadsafe(visit.abandon)
            raise
        except BaseException:
            loop.call_soon_threadsafe(visit.abandon)
            with _ended(stay):
                stay.over.wait()
            stay.result()
            raise
        loop.call_soon_threadsafe(visit.end)
        with _ended(stay):
            stay.over.wait()
        stay.result()


class _Call(Generic[T]):
    """A task of the loop, told of in another thread. ``over`` is set when it has ended."""

    def __init__(self, work: Coroutine[Any, Any, T], loop: asyncio.AbstractEventLoop) -> None:
        self.over = threading.Event()
        self._work = work
        self._loop = loop
        self._task: asyncio.Task[T] | None = None
        loop.call_soon_threadsafe(self._begin)

    def _begin(self) -> None:
        self._task = self._loop.create_task(self._work)
        self._task.add_done_callback(self._end)

    def _end(self, task: asyncio.Task[T]) -> None:
        if not task.cancelled():
            # Marks it as seen, also where nobody asks for the result any more.
            task.exception()
        self.over.set()

    def cancel(self) -> None:
        if not self.over.is_set():
            self._loop.call_soon_threadsafe(lambda: self._task and self._task.cancel())

    def result(self) -> T:
        """Once it is over."""
        if self._task is None:
            raise RuntimeError("this call was not begun")
        return self._task.result()


@contextmanager
def _ended(call: _Call[Any]) -> Iterator[None]:
    """Where the block is interrupted, or fails, ``call`` is cancelled, and waited for."""
    try:
        yield
    except BaseException:
        call.cancel()
        call.over.wait()
        raise


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
