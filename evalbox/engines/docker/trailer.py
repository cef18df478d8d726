"""Where the output of a program ends, in a stream that others may go on writing to."""

from __future__ import annotations


class Trailer:
    """Takes a stream apart at a line that begins with ``mark`` and goes on with an exit status.

    ``status`` is None until that line has come; what comes after it is dropped.
    """

    def __init__(self, mark: bytes) -> None:
        self._mark = mark
        self._held = b""
        self._line: bytearray | None = None
        self.status: int | None = None

    def feed(self, data: bytes) -> bytes:
        """What of the output is certain; what may be the beginning of the mark is held back."""
        if self.status is not None:
            return b""
        if self._line is not None:
            self._go_on(data)
            return b""
        data = self._held + data if self._held else data
        before, mark, after = data.partition(self._mark)
        if mark:
            self._held, self._line = b"", bytearray()
            self._go_on(after)
            return before
        keep = self._overlap(data)
        self._held = data[len(data) - keep :]
        return data[: len(data) - keep]

    def rest(self) -> bytes:
        """What was held back, where the stream has ended without the line."""
        held, self._held = self._held, b""
        return held

    def _go_on(self, data: bytes) -> None:
        assert self._line is not None  # noqa: S101 - for the type checker
        self._line += data
        line, end, _ = self._line.partition(b"\n")
        if end:
            text = line.strip()
            self.status = int(text) if text.isdigit() else 255

    def _overlap(self, data: bytes) -> int:
        tail = data[-len(self._mark) :]
        return next(
            (size for size in range(len(tail), 0, -1) if self._mark.startswith(tail[-size:])), 0
        )
