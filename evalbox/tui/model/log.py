"""The end of what an attempt printed, as lines that can be shown."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import NamedTuple

from evalbox.domain.inert import Neutraliser
from evalbox.domain.records import OutputPiece
from evalbox.tui.text import cells, steady

#: Lines, characters of one, and characters of all that are kept.
LINES, LINE, CHARACTERS = 10_000, 20_000, 4 << 20
#: What a line ends in of which more came than is kept.
CUT = " [...]"


class LogLine(NamedTuple):
    """``number`` counts from 1 over all that came; ``stream`` 1 is standard output, 2 error.

    ``cells`` is how wide it is. That takes long to find out where characters are not of one cell,
    so it is done as lines come, and not for all at once when they are shown.
    """

    number: int
    stream: int
    at: float
    text: str
    cells: int


class Log:
    """A ring: what comes beyond ``LINES`` and ``CHARACTERS`` pushes the oldest out.

    ``total`` counts all that came. ``version`` grows whenever there is something new, the growth
    of the last line included.
    """

    def __init__(self) -> None:
        self.lines: deque[LogLine] = deque()
        self.total = 0
        self.version = 0
        self._characters = 0
        self._neutralisers = {1: Neutraliser(), 2: Neutraliser()}
        self._open: dict[int, LogLine] = {}

    def __len__(self) -> int:
        return len(self.lines)

    @property
    def first(self) -> int:
        """The number of the oldest line that is kept."""
        return self.lines[0].number if self.lines else self.total + 1

    def line(self, number: int) -> LogLine | None:
        """None for one that is not kept, or not yet there."""
        place = number - self.first
        return self.lines[place] if 0 <= place < len(self.lines) else None

    def feed(self, piece: OutputPiece) -> None:
        """Costs what is kept of it: of more lines than that, the first are only counted."""
        text = self._neutralisers[piece.stream].feed(piece.data)
        if not text:
            return
        *whole, rest = text.replace("\t", "    ").split("\n")
        if whole:
            self._join(piece, whole[0], ended=True)
            self._append(piece, whole[1:])
        if rest:
            self._join(piece, rest, ended=False)
        self._push_out()
        self.version += 1

    def _join(self, piece: OutputPiece, text: str, *, ended: bool) -> None:
        """To what the same stream left unfinished, if nothing else came in between."""
        unfinished = self._open.pop(piece.stream, None)
        if unfinished is None or not self.lines or unfinished is not self.lines[-1]:
            self._append(piece, [text])
        elif len(unfinished.text) < LINE or not unfinished.text.endswith(CUT):
            # A mark may belong to what stands before it.
            joined = _bounded(unfinished.text + text)
            self.lines[-1] = unfinished._replace(text=joined, cells=cells(joined))
            self._characters += len(joined) - len(unfinished.text)
        if not ended:
            self._open[piece.stream] = self.lines[-1]

    def _append(self, piece: OutputPiece, texts: list[str]) -> None:
        kept = [_bounded(text) for text in texts[-LINES:]]
        number = self.total + len(texts) - len(kept) + 1
        self.lines.extend(
            LogLine(place, piece.stream, piece.at, text, cells(text))
            for place, text in enumerate(kept, number)
        )
        self.total += len(texts)
        self._characters += sum(map(len, kept))

    def _push_out(self) -> None:
        lines = self.lines
        while len(lines) > LINES or (self._characters > CHARACTERS and len(lines) > 1):
            self._characters -= len(lines.popleft().text)

    def find(self, wanted: str) -> Iterator[int]:
        """The numbers of the lines that have ``wanted`` in them, in any case."""
        wanted = wanted.lower()
        return (line.number for line in self.lines if wanted in line.text.lower())


def _bounded(text: str) -> str:
    text = steady(text[: LINE + 1])
    return text if len(text) <= LINE else text[: LINE - len(CUT)] + CUT
