"""Reads the log once for all who follow it, and wakes those whom something new concerns."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager

from evalbox.api.feed.reader import PAGE, Reader
from evalbox.api.feed.ring import Entry, Ring, Selection, Topic, entry
from evalbox.domain.event import Event
from evalbox.errors import Busy, EvalboxError, InvalidInput, ServiceUnreachable
from evalbox.service.box import Box
from evalbox.telemetry.logs import get_logger

log = get_logger(__name__)

#: Seconds from one round to the next while something happens; after a quiet time there is no wait.
INTERVAL = 0.1
#: Events that are kept in memory, and readers that there may be.
CAPACITY, MAX_READERS = 8192, 4096
#: Seconds between looks for readers that were sent nothing: at most every second look they are.
_BEAT = 7.5
#: Readers that are woken, and events that are encoded, before others have a turn.
_SLICE = 50
#: Events read from the log at once, and readers that are served from the store at the same time.
_ROUND, _CATCHING_UP = 1000, 4
#: Seconds that readers have to go when the service stops, and before a failed look is repeated.
_FAREWELL, _AGAIN = 2.0, 1.0


class Hub:
    """Works from ``start`` to ``stop``; while nobody reads, it does nothing."""

    def __init__(
        self,
        box: Box,
        *,
        interval: float = INTERVAL,
        capacity: int = CAPACITY,
        beat: float = _BEAT,
    ) -> None:
        self._box = box
        self._interval = interval
        self._beat = beat
        self._ring = Ring(capacity)
        self._readers: dict[Selection, set[Reader]] = {}
        self._count = 0
        self._wanted = asyncio.Event()
        self._live = asyncio.Event()
        self._left = asyncio.Event()
        self._catching_up = asyncio.Semaphore(_CATCHING_UP)
        self._tasks: list[asyncio.Task[None]] = []
        self.stopping = False

    async def start(self) -> None:
        self._tasks = [
            asyncio.create_task(self._follow(), name="feed"),
            asyncio.create_task(self._beating(), name="feed-beat"),
        ]

    async def stop(self) -> None:
        """Ends every reader's stream, and awaits that, unless one does not take what it is sent."""
        self.stopping = True
        for reader in self._everyone():
            reader.wake()
        try:
            async with asyncio.timeout(_FAREWELL):
                while self._count:
                    self._left.clear()
                    await self._left.wait()
        except TimeoutError:
            log.warning("readers of the feed did not go", count=self._count)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks.clear()

    @property
    def readers(self) -> int:
        """How many follow the feed now."""
        return self._count

    @property
    def head(self) -> int:
        return self._ring.head

    def topic(self, selection: Selection) -> Topic:
        return self._ring.topic(selection)

    async def page(self, selection: Selection, after: int) -> list[Entry]:
        async with self._catching_up:
            return [entry(event) for event in await read(self._box, selection, after, PAGE)]

    @asynccontextmanager
    async def reading(self, selection: Selection, after: int | None) -> AsyncIterator[Reader]:
        """A reader of what comes after ``after``, or from now on, for the length of a block.

        Raises ``Busy``, ``ServiceUnreachable`` when it is about to end, and ``InvalidInput`` where
        ``after`` is beyond the newest event.
        """
        if self.stopping or not self._tasks:
            raise ServiceUnreachable("the service is stopping", hint="connect again in a moment")
        if self._count >= MAX_READERS:
            raise Busy(f"{MAX_READERS:,} read the feed already", hint="come back later")
        self._count += 1
        self._wanted.set()
        try:
            await self._live.wait()
            position = self.head if after is None else after
            if position > self.head:
                await check_reached(self._box, position)
            reader = Reader(self, selection, position)
            self._readers.setdefault(selection, set()).add(reader)
            # Before anything is awaited: from here on the ring keeps what concerns it.
            self.topic(selection)
            try:
                yield reader
            finally:
                self._forget(reader)
        finally:
            self._count -= 1
            self._left.set()

    def _forget(self, reader: Reader) -> None:
        others = self._readers[reader.selection]
        others.discard(reader)
        if not others:
            del self._readers[reader.selection]
            self._ring.drop(reader.selection)

    async def _follow(self) -> None:
        while True:
            try:
                await self._follow_while_wanted()
            except EvalboxError as error:
                log.error("the feed could not be read", error=error.message, code=error.code)
                await asyncio.sleep(_AGAIN)

    async def _follow_while_wanted(self) -> None:
        await self._wanted.wait()
        if not self._live.is_set():
            self._ring.reset(await self._box.last_seq())
            self._live.set()
        while self._count:
            await self._round()
        self._wanted.clear()
        self._live.clear()

    async def _round(self) -> None:
        loop = asyncio.get_running_loop()
        next_round = loop.time() + self._interval
        found = await read(self._box, Selection(), self.head, _ROUND)
        if not found:
            found = [await _next(self._box, self.head)]
            next_round = loop.time() + self._interval
        await self._publish(found)
        if len(found) < _ROUND:
            await asyncio.sleep(next_round - loop.time())

    async def _publish(self, events: list[Event]) -> None:
        concerned: set[Selection] = set()
        for start in range(0, len(events), _SLICE):
            concerned |= self._ring.extend([entry(one) for one in events[start : start + _SLICE]])
            await asyncio.sleep(0)
        await _in_slices([reader for one in concerned for reader in self._readers.get(one, ())])

    async def _beating(self) -> None:
        while True:
            await asyncio.sleep(self._beat)
            for reader in self._everyone():
                reader.beat()

    def _everyone(self) -> list[Reader]:
        return [reader for readers in self._readers.values() for reader in readers]


async def _in_slices(readers: list[Reader]) -> None:
    for start in range(0, len(readers), _SLICE):
        for reader in readers[start : start + _SLICE]:
            reader.tell()
        await asyncio.sleep(0)


async def read(box: Box, selection: Selection, after: int, limit: int) -> list[Event]:
    """What there is after ``after``, at most ``limit``."""
    found: list[Event] = []
    events = box.events(after=after, evaluation_id=selection.evaluation_id, batch=selection.batch)
    async with aclosing(events) as source:  # type: ignore[type-var]
        async for event in source:
            found.append(event)
            if len(found) == limit:
                break
    return found


async def _next(box: Box, after: int) -> Event:
    async with aclosing(box.events(after=after, follow=True)) as source:  # type: ignore[type-var]
        async for event in source:
            return event
    raise Busy("the box ended its log")


async def check_reached(box: Box, seq: int) -> None:
    """Raises ``InvalidInput`` where there is no such event yet."""
    newest = await box.last_seq()
    if seq > newest:
        raise InvalidInput(
            f"after: {seq} is beyond the newest event, {newest}",
            hint="the box may have been restored from a backup: begin without after",
            field="after",
        )
