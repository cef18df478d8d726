"""The rows of a book that are wanted, in the order that is wanted."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from evalbox.tui.model.book import Book
from evalbox.tui.model.query import EVERYTHING, Query
from evalbox.tui.model.row import Row

#: A view is made anew no more often than this many times what it took, nor than so many seconds.
RATIO, LEAST = 20.0, 0.4
#: Up to so many rows are gone through at once; more, in a thread that may be told to stop.
FEW = 2000


@dataclass(frozen=True, slots=True)
class Order:
    """``name`` is the column's; ``key`` gives what rows are ordered by.

    ``live``: that changes though nothing happens to the rows.
    """

    name: str
    key: Callable[[Any], Any]
    falling: bool = False
    live: bool = False


class View:
    """``always`` narrows it down before the query does, as to what is queued.

    ``rows`` is to be read only, and stays as it is until ``renew``: what is on the screen is what
    a key is pressed for. Where no order is asked for it is the book's.
    """

    def __init__(
        self,
        book: Book,
        *,
        always: Callable[[Row], bool] | None = None,
        order: Order | None = None,
    ) -> None:
        self._book = book
        self._always = always
        self.query = EVERYTHING
        self.order = order
        self.rows: list[Row] = []
        self._seen: tuple[int, Query, Order | None] | None = None
        self._due = 0.0

    @property
    def every(self) -> Sequence[Row]:
        """All that the book has, whether it is wanted or not."""
        return self._book.rows

    @property
    def whole(self) -> bool:
        return self._always is None and not self.query.terms and self.order is None

    @property
    def stale(self) -> bool:
        return self._seen != self._wanted() or (self.order is not None and self.order.live)

    def _wanted(self) -> tuple[int, Query, Order | None]:
        version = self._book.shape if self.whole else self._book.version
        return (version, self.query, self.order)

    def due(self, now: float) -> bool:
        """Whether it is to be made anew at ``now``, in seconds of the monotonic clock."""
        if not self.stale:
            return False
        asked = self._seen is None or self._seen[1:] != (self.query, self.order)
        # What is empty is made anew at no cost, and waited for the most.
        return asked or not self.rows or now >= self._due

    async def renew(self) -> bool:
        """Makes it anew. False where it has been asked for something else meanwhile."""
        wanted = self._wanted()
        began = time.monotonic()
        rows: list[Row] | None = self._book.ordered()
        if not self.whole:
            work = partial(self._chosen, self._book.ordered(), self.query, self.order)
            rows = work() if len(self._book) <= FEW else await asyncio.to_thread(work)
        if rows is None or (self.query, self.order) != wanted[1:]:
            return False
        self.rows, self._seen = rows, wanted
        took = time.monotonic() - began
        self._due = time.monotonic() + max(LEAST, took * RATIO)
        return True

    def _chosen(self, rows: list[Row], query: Query, order: Order | None) -> list[Row] | None:
        """None where it is no longer wanted."""
        chosen: list[Row] = []
        always = self._always
        for first in range(0, len(rows), FEW):
            if self.query is not query or self.order is not order:
                return None
            part = rows[first : first + FEW]
            if always is not None:
                part = [row for row in part if always(row)]
            if query.terms:
                part = [row for row in part if query.holds(row)]
            chosen += part
        if order is not None:
            # The sort is stable, so that equals stay newest first either way.
            chosen.sort(key=order.key, reverse=order.falling)
        return chosen
