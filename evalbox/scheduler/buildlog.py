"""What a build prints: kept in a file, told line by line to whoever follows, from its beginning."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from evalbox.domain.inert import inert_line
from evalbox.domain.masking import Mask

#: Bytes that are kept; lines of the end that are told with a failure, and characters of a line.
_MOST = 16 << 20
_TAIL, _LINE = 15, 2000
_PIECE = 256 * 1024
_CUT = b"\n... the rest is left out ...\n"


class BuildLog:
    """``grew`` is set, and replaced, when there is more. ``mask`` hides what nobody is to read."""

    def __init__(self, path: Path, mask: Mask | None = None) -> None:
        self.grew = asyncio.Event()
        self._path = path
        self._mask = mask or Mask()
        self._file: BinaryIO | None = None
        self._size = 0
        self._tail: deque[bytes] = deque(maxlen=_TAIL)
        self._line = b""

    @property
    def begun(self) -> bool:
        """Whether the file is that of this try."""
        return self._file is not None

    async def open(self) -> None:
        """Begins anew, in place of what an earlier try has left."""
        self._file = await asyncio.to_thread(self._opened)

    async def add(self, data: bytes) -> None:
        await self._keep(self._mask(data))

    async def settle(self) -> None:
        """Nothing more comes that belongs to what was printed."""
        await self._keep(self._mask.rest())

    async def _keep(self, data: bytes) -> None:
        if not data:
            return
        self._remember(data)
        room = _MOST - self._size
        if room > 0:
            kept = data if len(data) <= room else data[:room] + _CUT
            self._size += len(data)
            await asyncio.to_thread(self._write, kept)
            self.tell()

    async def note(self, text: str) -> None:
        """A line of our own."""
        await self.settle()
        start = "\n" if self._line else ""
        await self._keep(f"{start}evalbox: {text}\n".encode())

    def tell(self) -> None:
        """Wakes those who follow."""
        grew, self.grew = self.grew, asyncio.Event()
        grew.set()

    def tail(self) -> list[str]:
        """The last lines that say something."""
        return [_shown(line) for line in (*self._tail, self._line) if line.strip()][-_TAIL:]

    async def close(self) -> None:
        if self._file is not None:
            await self.settle()
            await asyncio.to_thread(self._file.close)
        self.tell()

    def _remember(self, data: bytes) -> None:
        *lines, rest = (self._line + data).replace(b"\r", b"\n").split(b"\n")
        self._tail.extend(line[:_LINE] for line in lines if line.strip())
        self._line = rest[-_LINE:]

    def _opened(self) -> BinaryIO:
        self._path.parent.mkdir(mode=0o700, exist_ok=True)
        # Who reads the old one reads it to its end.
        self._path.unlink(missing_ok=True)
        return self._path.open("xb", buffering=0)

    def _write(self, data: bytes) -> None:
        assert self._file is not None  # noqa: S101 - it is opened first
        self._file.write(data)


class Lines:
    """What has come of a log's file since the last look, in lines that are safe to show."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: BinaryIO | None = None
        self._rest = b""

    def next(self, *, final: bool = False) -> Iterator[str]:
        """Blocks. ``final``: what is no whole line is told too."""
        if self._file is None:
            try:
                self._file = self._path.open("rb")
            except FileNotFoundError:
                return
        while data := self._file.read(_PIECE):
            *lines, self._rest = (self._rest + data).replace(b"\r", b"\n").split(b"\n")
            yield from (_shown(line) for line in lines if line.strip())
        if final and self._rest.strip():
            yield _shown(self._rest)

    def close(self) -> None:
        if self._file is not None:
            self._file.close()


def _shown(line: bytes) -> str:
    return inert_line(line[:_LINE].decode(errors="replace"))
