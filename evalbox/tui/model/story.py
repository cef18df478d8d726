"""The entries of a chronicle that are wanted: many, of which few are new each time."""

from __future__ import annotations

import asyncio
import time

from evalbox.domain.event import Event
from evalbox.tui.model.chronicle import Entry
from evalbox.tui.model.few import Few
from evalbox.tui.model.query import EVERYTHING

Key = tuple[bool, int]

#: Seconds that are spent at once before others get their turn.
_TURN = 0.002
#: Seconds for which an entry that is not wanted is looked at again: what it is about may be known
#: by its name only later.
_UNSURE = 10.0


class Story(Few[Entry]):
    """Remembers which entries a filter has found, so that only new ones are looked at."""

    def __init__(self) -> None:
        super().__init__()
        self._asked = EVERYTHING
        self._found: dict[Key, bool] = {}

    async def renew(self) -> bool:
        wanted, every = self._wanted(), self._every
        query, order = self.query, self.order
        if query is not self._asked:
            self._asked, self._found = query, {}
        rows = await self._held(every[-1].at) if query.terms and every else list(every)
        if self._wanted()[1:] != wanted[1:]:
            return False
        if order is not None:
            rows.sort(key=order.key, reverse=order.falling)
        self.rows, self._seen = rows, wanted
        return True

    async def _held(self, newest: float) -> list[Entry]:
        query, before = self._asked, self._found
        found: dict[Key, bool] = {}
        rows = []
        began = time.perf_counter()
        for entry in self._every:
            key = (isinstance(entry, Event), entry.seq)
            held = before.get(key)
            if held is None:
                held = query.holds(entry)
                if time.perf_counter() - began > _TURN:
                    await asyncio.sleep(0)
                    began = time.perf_counter()
            if held:
                rows.append(entry)
            if held or entry.at < newest - _UNSURE:
                found[key] = held
        if query is self._asked:
            self._found = found
        return rows
