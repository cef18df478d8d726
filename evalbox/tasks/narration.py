"""Which phases a driver says, on standard error, that it comes to: a line ``==> NAME`` for each."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable

#: Bytes at the end of the stream that a reader which goes on with it has to know.
TAIL = 64
_LINE = re.compile(rb"^==> ([a-z]{1,40})\n", re.MULTILINE)
#: Stands for a line that goes on and is too long to be one of ours.
_WITHIN = b"?"


class Narration:
    """Reads the stream in pieces of any size. ``phases`` are those that there can be.

    ``begun`` are those that were told of already, ``before`` is how the stream ended until here.
    """

    def __init__(
        self, phases: Collection[str], begun: Iterable[str] = (), before: bytes = b""
    ) -> None:
        self._left = set(phases) - set(begun)
        self._line = b""
        self.feed(before[-TAIL - 1 :])

    def feed(self, data: bytes) -> list[str]:
        """The phases that begin in it. Each does so once."""
        text = self._line + data
        line = text[text.rfind(b"\n") + 1 :]
        self._line = line if len(line) <= TAIL else _WITHIN
        begun = []
        for match in _LINE.finditer(text):
            phase = match[1].decode()
            if phase in self._left:
                self._left.remove(phase)
                begun.append(phase)
        return begun
