"""Rows that are made from all evaluations of a book, as groups of them are."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from functools import partial

from evalbox.tui.model.book import Book
from evalbox.tui.model.few import Few, R
from evalbox.tui.model.row import Row
from evalbox.tui.model.view import FEW, LEAST, RATIO, Order

Make = Callable[[Sequence[Row]], list[R]]


class Derived(Few[R]):
    """``make`` is called in a thread where there are many, and no more often than is cheap."""

    def __init__(self, book: Book, make: Make[R], *, order: Order | None = None) -> None:
        super().__init__(order=order)
        self._book = book
        self._make = make
        self._made = -1
        self._fresh_until = 0.0

    def due(self, now: float) -> bool:
        return super().due(now) or self._stale(now)

    def _stale(self, now: float) -> bool:
        return self._made != self._book.version and now >= self._fresh_until

    async def renew(self) -> bool:
        if self._stale(time.monotonic()):
            await self._make_anew()
        return await super().renew()

    async def _make_anew(self) -> None:
        version, rows = self._book.version, list(self._book.rows)
        began = time.monotonic()
        work = partial(self._make, rows)
        self.put(work() if len(rows) <= FEW else await asyncio.to_thread(work))
        self._made = version
        took = time.monotonic() - began
        self._fresh_until = time.monotonic() + max(LEAST, took * RATIO)
