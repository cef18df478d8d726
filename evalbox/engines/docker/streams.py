"""What goes to the engine and comes from it in long streams: archives, and lines of progress."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from typing import IO

from evalbox.errors import EngineError

#: Told one line at a time, on the event loop.
Progress = Callable[[str], None]

_PIECE = 256 * 1024


def pieces(source: IO[bytes]) -> Iterator[bytes]:
    """The content of a file. requests would send it line by line."""
    while piece := source.read(_PIECE):
        yield piece


def told(answer: Iterable[bytes]) -> Iterator[str]:
    """The lines that the engine tells of a long work, without the moving bars.

    Raises ``EngineError`` when it tells of a failure.
    """
    for line in _lines(answer):
        item = json.loads(line)
        if "error" in item:
            raise EngineError(str(item["error"]).strip())
        text = str(item.get("stream") or item.get("status") or "").strip()
        if text and "progress" not in item:
            yield text


def _lines(answer: Iterable[bytes]) -> Iterator[bytes]:
    rest = b""
    for piece in answer:
        *whole, rest = (rest + piece).split(b"\n")
        yield from (line for line in whole if line.strip())
    if rest.strip():
        yield rest
