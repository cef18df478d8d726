"""The end of what an attempt printed, as lines that can be shown."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

from evalbox.domain.inert import Neutraliser
from evalbox.domain.records import OutputPiece
from evalbox.tui.text import steady

#: Lines and characters of one that are kept.
LINES, LINE = 10_000, 20_000


@dataclass(frozen=True, slots=True)
class LogLine:
    """``number`` counts from 1 over all that came; ``stream`` 1 is standard output, 2 error."""

    number: int
    stream: int
    at: float
    text: str


class Log:
    """A ring: what comes beyond ``LINES`` pushes the oldest out. ``total`` counts all that came.

    ``version`` grows whenever there is something new, the growth of the last line included.
    """

    def __init__(self) -> None:
        self.lines: deque[LogLine] = deque(maxlen=LINES)
        self.total = 0
        self.version = 0
        self.attempt = 1
        self._neutralisers = {1: Neutraliser(), 2: Neutraliser()}
        self._open: dict[int, LogLine] = {}

    def __len__(self) -> int:
        return len(self.lines)

    @property
    def first(self) -> int:
        """The number of the oldest line that is kept."""
        return self.lines[0].number if self.lines else self.total + 1

    def feed(self, piece: OutputPiece) -> None:
        text = self._neutralisers[piece.stream].feed(piece.data)
        if not text:
            return
        *whole, rest = text.split("\n")
        for line in whole:
            self._add(piece, line, ended=True)
        if rest:
            self._add(piece, rest, ended=False)
        self.version += 1

    def _add(self, piece: OutputPiece, text: str, *, ended: bool) -> None:
        """Joined to what the same stream left unfinished, if nothing else came in between."""
        text = steady(text.replace("\t", "    "))
        last = self.lines[-1] if self.lines else None
        unfinished = self._open.pop(piece.stream, None)
        if unfinished is not None and unfinished is last:
            joined = (unfinished.text + text)[:LINE]
            line = LogLine(unfinished.number, piece.stream, unfinished.at, joined)
            self.lines[-1] = line
        else:
            self.total += 1
            line = LogLine(self.total, piece.stream, piece.at, text[:LINE])
            self.lines.append(line)
        if not ended:
            self._open[piece.stream] = line

    def find(self, wanted: str) -> Iterator[int]:
        """The numbers of the lines that have ``wanted`` in them, in any case."""
        wanted = wanted.lower()
        return (line.number for line in self.lines if wanted in line.text.lower())
