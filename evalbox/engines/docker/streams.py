"""What goes to the engine and comes from it in long streams: archives, and lines of progress."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import IO, Any

from evalbox.errors import EngineError

#: Told one line at a time, on the event loop.
Progress = Callable[[str], None]

_PIECE = 256 * 1024


def pieces(source: IO[bytes]) -> Iterator[bytes]:
    """The content of a file. requests would send it line by line."""
    while piece := source.read(_PIECE):
        yield piece


def told(answer: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """The lines that the engine tells of a long work, without the moving bars.

    Raises ``EngineError`` when it tells of a failure.
    """
    for item in answer:
        if "error" in item:
            raise EngineError(str(item["error"]).strip())
        text = str(item.get("stream") or item.get("status") or "").strip()
        if text and "progress" not in item:
            yield text
