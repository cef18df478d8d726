"""What happened in a box and who did what there, as far back as is of use."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from operator import attrgetter
from typing import cast

from evalbox.domain.audit import AuditEntry
from evalbox.domain.event import Event
from evalbox.errors import EvalboxError
from evalbox.service.box import Box

Entry = Event | AuditEntry

#: Entries that are kept of either kind, and how many of the past are asked for.
KEPT, PAST = 5_000, 1_000
#: Events taken in before others get their turn.
_TURN = 100
#: Seconds between looks at the audit log, and before a feed that broke is tried again.
_LOOK, _AGAIN = 1.0, 2.0

_at = attrgetter("at")


class Chronicle:
    """``events`` and ``audit`` are oldest first. ``version`` grows with every change to them.

    ``trouble`` says in words why they may lack something: one for each of the two.
    """

    def __init__(self, box: Box) -> None:
        self.events: deque[Event] = deque(maxlen=KEPT)
        self.audit: deque[AuditEntry] = deque(maxlen=KEPT)
        self.trouble = ["", ""]
        self.version = 0
        self._box = box
        self._seq: int | None = None

    async def keep(self) -> None:
        """Never returns; what fails is told and tried again."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._forever(0, self._follow), name="tui-events")
            group.create_task(self._forever(1, self._look), name="tui-audit")

    async def _forever(self, place: int, work: Callable[[], Awaitable[None]]) -> None:
        while True:
            try:
                await work()
            except EvalboxError as error:
                self.trouble[place] = error.message
                self.version += 1
            await asyncio.sleep(_AGAIN)

    async def _follow(self) -> None:
        if self._seq is None:
            self._seq = max(0, await self._box.last_seq() - PAST)
        feed = cast(AsyncGenerator[Event, None], self._box.events(after=self._seq, follow=True))
        async with aclosing(feed) as events:
            self._sound(0)
            async for event in events:
                self.events.append(event)
                self._seq = event.seq
                self.version += 1
                if event.seq % _TURN == 0:
                    await asyncio.sleep(0)

    async def _look(self) -> None:
        while True:
            after = self.audit[-1].seq if self.audit else None
            found = await self._box.audit.list(after=after, limit=PAST)
            self._sound(1)
            if found:
                self.audit.extend(found)
                self.version += 1
            if len(found) < PAST or after is None:
                await asyncio.sleep(_LOOK)

    def _sound(self, place: int) -> None:
        if self.trouble[place]:
            self.trouble[place] = ""
            self.version += 1

    def entries(self, *, events: bool, audit: bool) -> list[Entry]:
        """Those that are wanted, in the order of their times."""
        # Of the same moment, what was asked for stands before what came of it.
        found: list[Entry] = [*(self.audit if audit else ()), *(self.events if events else ())]
        if events and audit:
            found.sort(key=_at)
        return found
