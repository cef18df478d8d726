"""Tells webhooks what happens: at least once, however often either side goes away meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from evalbox.config.settings import Settings
from evalbox.domain.clock import Clock
from evalbox.domain.event import Event
from evalbox.errors import EvalboxError, StoreError
from evalbox.service.messages import messages
from evalbox.service.sender import Sender
from evalbox.store.store import Store
from evalbox.store.webhooks import Follower
from evalbox.telemetry.logs import get_logger

log = get_logger(__name__)

_PAGE = 500
#: Seconds between looks at the log of events while it grows, and after a failure of the store.
_BREATH, _PAUSE = 0.1, 2.0
#: Events after which the cursors are stored although there was nothing to tell.
_STRIDE = 5000
#: Seconds between the forgettings of what was delivered long ago.
_FORGETTING = 3600.0


class Deliveries:
    """For the process that runs the queue, from ``start`` to ``stop``.

    One task makes messages of events, and one sends what is due: what is under way between them is
    in the store, with the webhooks' cursors.
    """

    def __init__(self, store: Store, settings: Settings, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._wake = asyncio.Event()
        self._sender = Sender(store, clock, self._wake, private=settings.webhook_private)
        self._seq = 0
        self._stored = 0
        self._tasks: list[asyncio.Task[None]] = []
        self._next_forgetting = 0.0

    async def start(self) -> None:
        followers = await self._store.followers()
        newest = await self._store.last_seq()
        self._seq = self._stored = min((one.cursor for one in followers), default=newest)
        self._tasks = [
            asyncio.create_task(self._collect_for_ever(), name="webhooks-collect"),
            asyncio.create_task(self._send_for_ever(), name="webhooks-send"),
        ]

    async def stop(self, *, patience: float) -> None:
        """Tells what has just happened, for at most so many seconds; the rest is the next one's."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        try:
            if patience > 0:
                async with asyncio.timeout(patience):
                    await self._finish()
        except (TimeoutError, EvalboxError):
            log.info("messages are left to the next process")
        finally:
            await self._sender.close()

    async def _finish(self) -> None:
        while await self._collect():
            pass
        await self._sender.send()
        while tasks := self._sender.tasks:
            await asyncio.wait(tasks)
            await self._sender.send()

    async def _collect_for_ever(self) -> None:
        while True:
            await self._guarded(self._collect_next)

    async def _collect_next(self) -> None:
        await self._store.wait_for_change(self._seq, 3600.0)
        while await self._collect():
            pass
        await asyncio.sleep(_BREATH)

    async def _collect(self) -> bool:
        """Makes deliveries of the next events; whether there may be more of them."""
        # In this order: one that is added meanwhile is told what comes behind ``newest``.
        newest = await self._store.last_seq()
        followers = await self._store.followers()
        if not followers:
            self._seq = self._stored = newest
            return False
        page = await self._store.events(self._seq, limit=_PAGE)
        events = [event for event in page if event.seq <= newest]
        if events:
            await self._make(events, followers)
        self._wake.set()
        return len(events) == _PAGE

    async def _make(self, events: Sequence[Event], followers: Sequence[Follower]) -> None:
        made = await messages(self._store, events, followers)
        cursor = events[-1].seq
        if made or cursor - self._stored >= _STRIDE:
            ids = [one.webhook.id for one in followers]
            await self._store.add_deliveries(made, cursor, ids, self._clock.now())
            self._stored = cursor
        self._seq = cursor

    async def _send_for_ever(self) -> None:
        while True:
            await self._guarded(self._send_next)

    async def _send_next(self) -> None:
        self._wake.clear()
        pause = await self._sender.send()
        await self._forget()
        alarm = None
        if pause is not None:
            alarm = asyncio.get_running_loop().call_later(pause, self._wake.set)
        await self._wake.wait()
        if alarm is not None:
            alarm.cancel()

    async def _guarded(self, step: Callable[[], Awaitable[None]]) -> None:
        """Nothing that goes wrong in a step may end the task that it is a step of."""
        try:
            await step()
        except StoreError as error:
            log.error("webhooks are not told", error=error.message)
            await asyncio.sleep(_PAUSE)
        except Exception:
            log.exception("evalbox itself failed")
            await asyncio.sleep(_PAUSE)

    async def _forget(self) -> None:
        now = self._clock.monotonic()
        if now >= self._next_forgetting:
            self._next_forgetting = now + _FORGETTING
            if await self._store.webhooks():
                await self._store.forget_deliveries(self._clock.now())
