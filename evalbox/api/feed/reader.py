"""One who follows the feed, at a pace of its own."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Protocol

from evalbox.api.feed.encoding import STOPPING, Encoding
from evalbox.api.feed.ring import Encoder, Entry, P, Selection, Topic, chunk

#: The most that is read from the store at once for one reader.
PAGE = 250


#: Sends what is framed for the connection already, or says that it has no room.
Write = Callable[[bytes], bool]


class Source(Protocol):
    """What a reader has of the hub."""

    @property
    def head(self) -> int:
        """The seq up to which the hub has read."""
        ...

    @property
    def stopping(self) -> bool: ...

    def topic(self, selection: Selection) -> Topic: ...

    async def page(self, selection: Selection, after: int) -> list[Entry]:
        """At most ``PAGE`` entries from the store."""
        ...


class Reader:
    """Keeps no events of its own, only where it stands: so a slow one costs nothing.

    One that waits for events and whose connection has room gets them in ``tell``, without a task
    having its turn: with a thousand readers that is most of what they cost.

    ``position`` is the seq up to which all that fits ``selection`` has been given out.
    """

    def __init__(self, source: Source, selection: Selection, position: int) -> None:
        self.selection = selection
        self.position = position
        self._source = source
        self._waiting: asyncio.Future[None] | None = None
        self._on_wire: Encoder[bytes] | None = None
        self._write: Write | None = None
        self._closed = False
        self._silent = False
        self._due = False

    def tell(self) -> None:
        """There is something for it."""
        if self._waiting is None or self._waiting.done() or not self._written():
            self.wake()

    def _written(self) -> bool:
        if self._write is None or self._on_wire is None or self._source.stopping:
            return False
        topic = self._source.topic(self.selection)
        if self.position < topic.floor:
            return False
        found = topic.since(self.position, self._on_wire)
        if found is None or not self._write(found.payload):
            return False
        self.position = found.last
        self._silent = False
        # What one chunk does not hold is left to the task.
        return topic.since(self.position, self._on_wire) is None

    def wake(self) -> None:
        """Gives its task a turn."""
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(None)

    def close(self) -> None:
        """The one it was for has gone."""
        self._closed = True
        self.wake()

    def beat(self) -> None:
        """Lets it show that it lives, if nothing was sent since the last call."""
        if self._silent:
            self._due = True
            self.wake()
        self._silent = not self._silent

    async def chunks(self, encoding: Encoding[P], write: Write | None = None) -> AsyncIterator[P]:
        """What is to be sent, until the service stops or the reader was closed.

        To ask for the next chunk says that there is room for it. While that is waited for, events
        may go to ``write`` instead.
        """
        self._on_wire, self._write = encoding.on_wire, write
        yield encoding.opened(self.position)
        encode = encoding.events
        while not self._closed:
            if self._source.stopping:
                yield encoding.end(STOPPING)
                return
            topic = self._source.topic(self.selection)
            if self.position < topic.floor:
                async for payload in self._missed(encoding):
                    yield payload
                continue
            found = topic.since(self.position, encode)
            if found is not None:
                self.position = found.last
                self._silent = False
                yield found.payload
            elif self._due:
                self._due = False
                if payload := encoding.alive(self.position):
                    yield payload
            else:
                await self._woken()

    async def _missed(self, encoding: Encoding[P]) -> AsyncIterator[P]:
        """From the store, until the hub has all that follows."""
        source, selection = self._source, self.selection
        yield encoding.gap(self.position, source.head)
        while self.position < source.topic(selection).floor:
            # Before reading: up to here the store has everything.
            head = source.head
            page = await source.page(selection, self.position)
            whole = len(page) < PAGE
            while page:
                if self._closed or source.stopping:
                    return
                made = chunk(page, encoding.events)
                page = [item for item in page if item.seq > made.last]
                self.position = made.last
                self._silent = False
                yield made.payload
            if whole:
                self.position = max(self.position, head)

    async def _woken(self) -> None:
        self._waiting = asyncio.get_running_loop().create_future()
        try:
            await self._waiting
        finally:
            self._waiting = None
