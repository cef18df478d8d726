"""Which line of a log stands in which row, kept as the log grows."""

from __future__ import annotations

from bisect import bisect_right
from collections import deque
from collections.abc import Iterable, Iterator
from itertools import accumulate, islice

from evalbox.tui.model.log import Log, LogLine
from evalbox.tui.text import height

#: Characters of lines longer than a row that are laid out in their cells at one update.
_EXACTLY = 50_000


class Layout:
    """Only what came since the last ``update`` is measured, and the last line again: it may grow.

    Lines go by their numbers, since older ones may be gone when a row is asked for.
    """

    def __init__(self) -> None:
        self._heights: deque[int] = deque()
        self._ends: list[int] = []
        self._width = -1
        self._first = 1

    @property
    def rows(self) -> int:
        return self._ends[-1] if self._ends else 0

    def update(self, log: Log, width: int) -> int:
        """For rows of ``width`` cells; 0 is a row a line. Gives how many rows went at the top."""
        if width != self._width:
            self._heights.clear()
            self._width, self._first = width, log.first
        gone = 0
        while self._heights and self._first < log.first:
            gone += self._heights.popleft()
            self._first += 1
        self._first = log.first
        if self._heights:
            self._heights.pop()
        new = islice(log.lines, len(self._heights), None)
        self._heights.extend(self._measured(new, width))
        self._ends = list(accumulate(self._heights))
        return gone

    def _measured(self, lines: Iterable[LogLine], width: int) -> Iterator[int]:
        """Of very much at once a row may be left empty, rather than nothing shown for long."""
        exactly = _EXACTLY
        for line in lines:
            if not width or line.cells <= width:
                yield 1
            else:
                exactly -= len(line.text)
                yield height(line.text, line.cells, width, exact=exactly > 0)

    def at(self, row: int) -> tuple[int, int]:
        """The number of the line in a row, and which of its rows that is."""
        line = bisect_right(self._ends, row)
        return self._first + line, row - (self._ends[line - 1] if line else 0)

    def row_of(self, number: int) -> int:
        """The first row of a line."""
        line = number - self._first
        return self._ends[line - 1] if 0 < line <= len(self._ends) else 0
