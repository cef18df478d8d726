"""What is made from all evaluations of a book, as groups of them are."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Generic, TypeVar

from evalbox.tui.model.book import Book
from evalbox.tui.model.few import Few, R
from evalbox.tui.model.row import Row
from evalbox.tui.model.view import FEW, LEAST, Order

V = TypeVar("V")
Make = Callable[[Iterable[Row]], V]

#: Seconds that a thread keeps the interpreter from others, and leaves it to them in between.
_BUSY, _REST = 0.001, 0.001
#: Rows between two looks at the time.
_STRIDE = 64
#: So many times what it took is waited before it is made again.
_RATIO = 8.0


class Made(Generic[V]):
    """``value`` is what ``make`` gave last, at first ``nothing``.

    It is made in a thread where there are many rows, and no more often than is cheap.
    """

    def __init__(self, book: Book, make: Make[V], nothing: V) -> None:
        self.value = nothing
        self._book = book
        self._make = make
        self._version = -1
        self._fresh_until = 0.0
        self._making = False

    def due(self, now: float) -> bool:
        """At ``now``, in seconds of the monotonic clock; not while it is being made."""
        return not self._making and self._version != self._book.version and now >= self._fresh_until

    def forget(self) -> None:
        """Is due at once: what ``make`` goes by has changed."""
        self._version, self._fresh_until = -1, 0.0

    async def renew(self) -> None:
        version, rows = self._book.version, list(self._book.rows)
        began = time.monotonic()
        self._version, self._making = version, True
        try:
            if len(rows) <= FEW:
                self.value = self._make(rows)
            else:
                self.value = await asyncio.to_thread(self._make, _gently(rows))
        finally:
            self._making = False
        now = time.monotonic()
        self._fresh_until = now + max(LEAST, (now - began) * _RATIO)


def _gently(rows: Sequence[Row]) -> Iterator[Row]:
    """In a thread: who waits for the interpreter would else get it only after 5 ms each time."""
    began = time.perf_counter()
    for first in range(0, len(rows), _STRIDE):
        yield from rows[first : first + _STRIDE]
        if time.perf_counter() - began > _BUSY:
            time.sleep(_REST)
            began = time.perf_counter()


class Derived(Few[R]):
    """Rows that are made so."""

    def __init__(self, book: Book, make: Make[list[R]], *, order: Order | None = None) -> None:
        super().__init__(order=order)
        self._made = Made[list[R]](book, make, [])

    def due(self, now: float) -> bool:
        return super().due(now) or self._made.due(now)

    async def renew(self) -> bool:
        if self._made.due(time.monotonic()):
            await self._made.renew()
            self.put(self._made.value)
        return await super().renew()
