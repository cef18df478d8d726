"""What is typed into a fake shell, line by line."""

from __future__ import annotations

import shlex
from collections.abc import Awaitable, Callable

from evalbox.engines.base import Stream

_PROMPT = b"$ "
_END, _INTERRUPT, _ERASE = b"\x04", b"\x03", (b"\x7f", b"\x08")
_LINE_ENDS = (b"\r", b"\n")


class Lines:
    """From ``read``, which gives None at the end. On a terminal, ``echo`` shows what is typed."""

    def __init__(
        self,
        read: Callable[[], Awaitable[bytes | None]],
        echo: Callable[[Stream, bytes], None],
        *,
        tty: bool,
    ) -> None:
        self._read = read
        self._echo = echo
        self._tty = tty
        self._waiting = b""
        self._ended = False

    async def next(self) -> str | None:
        """None at the end of the input, or at the key for it on an empty line."""
        self._show(_PROMPT)
        line = b""
        while (key := await self._key()) is not None:
            if key in _LINE_ENDS:
                self._show(b"\n")
                return line.decode(errors="surrogateescape")
            if not self._tty:
                line += key
            elif key == _END and not line:
                return None
            elif key == _INTERRUPT:
                self._show(b"^C\n" + _PROMPT)
                line = b""
            elif key in _ERASE:
                self._show(b"\b \b" if line else b"")
                line = line[:-1]
            else:
                self._show(key)
                line += key
        return line.decode(errors="surrogateescape") if line else None

    async def _key(self) -> bytes | None:
        while not self._waiting and not self._ended:
            data = await self._read()
            self._ended = data is None
            self._waiting = data or b""
        key, self._waiting = self._waiting[:1], self._waiting[1:]
        return key or None

    def _show(self, data: bytes) -> None:
        if self._tty:
            self._echo(Stream.STDOUT, data)


def words_of(line: str) -> list[str]:
    """As a shell parts them, ``;`` being one of its own; one word where its quotes are open."""
    try:
        words = shlex.shlex(line, posix=True, punctuation_chars=";")
        words.whitespace_split = True
        return list(words)
    except ValueError:
        return [line]
