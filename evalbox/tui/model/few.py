"""Rows of which there are few enough to be gone through whenever they change."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Generic, Protocol, TypeVar

from evalbox.tui.model.query import EVERYTHING, Query
from evalbox.tui.model.view import Order

R = TypeVar("R")


class Found(Protocol[R]):
    """What a table shows: ``rows``, which stay as they are until ``renew`` makes them anew."""

    query: Query
    order: Order | None
    rows: list[R]

    @property
    def every(self) -> Sequence[R]:
        """All that there are, whether they are wanted or not."""
        ...

    def due(self, now: float) -> bool:
        """Whether it is to be made anew at ``now``, in seconds of the monotonic clock."""
        ...

    async def renew(self) -> bool:
        """Makes it anew. False where it has been asked for something else meanwhile."""
        ...


class Few(Generic[R]):
    """Up to some ten thousand rows, put here by who knows them."""

    def __init__(self, *, order: Order | None = None) -> None:
        self.query = EVERYTHING
        self.order = order
        self.rows: list[R] = []
        self._every: Sequence[R] = ()
        self._version = 0
        self._seen: tuple[int, Query, Order | None] | None = None

    @property
    def every(self) -> Sequence[R]:
        return self._every

    def put(self, rows: Sequence[R]) -> None:
        """From now on these, which are not to change."""
        self._every = rows
        self._version += 1

    def due(self, now: float) -> bool:
        return self._seen != self._wanted()

    def _wanted(self) -> tuple[int, Query, Order | None]:
        return (self._version, self.query, self.order)

    async def renew(self) -> bool:
        query, order = self.query, self.order
        rows = [row for row in self._every if query.holds(row)]
        if order is not None:
            rows.sort(key=order.key, reverse=order.falling)
        self.rows, self._seen = rows, self._wanted()
        return True
