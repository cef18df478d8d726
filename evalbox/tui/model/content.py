"""The beginning of a file as what can be shown: its text, or what its bytes are."""

from __future__ import annotations

from collections.abc import Iterator

from evalbox.domain.records import OutputPiece
from evalbox.tui.model.log import CHARACTERS, LINES, Log

#: Bytes of a file that are read to be shown; of one that is no text.
MOST, MOST_BINARY = 1 << 20, 4096
_PROBE, _ROW = 8192, 16
#: Characters other than these that control a terminal are no part of a text.
_USUAL = frozenset(b"\t\n\r\f\x1b\b")
_STRANGE = 0.1


def is_binary(data: bytes | bytearray) -> bool:
    """By its beginning: a NUL, or much that no text has."""
    probe = data[:_PROBE]
    if b"\0" in probe:
        return True
    strange = sum(byte < 0x20 and byte not in _USUAL for byte in probe)
    # A character may have been cut in two at the end.
    strange += max(0, probe.decode("utf-8", "replace").count("\ufffd") - 1)
    return strange > _STRANGE * len(probe)


def as_log(data: bytes) -> tuple[Log, bool]:
    """What is shown of ``data``, and whether that is all of it."""
    binary = is_binary(data)
    shown = "\n".join(hexadecimal(data[:MOST_BINARY])).encode() if binary else _beginning(data)
    log = Log()
    log.feed(OutputPiece(0, 1, 0.0, shown))
    return log, len(data) == len(shown) if not binary else len(data) <= MOST_BINARY


def _beginning(data: bytes) -> bytes:
    """As many of its first lines as a log keeps."""
    data = data[: min(MOST, CHARACTERS // 2)]
    end = -1
    for _ in range(LINES - 1):
        end = data.find(b"\n", end + 1)
        if end < 0:
            return data
    return data[: end + 1]


def hexadecimal(data: bytes) -> Iterator[str]:
    """Rows of 16 bytes: where they are, as numbers, and as characters where they are any."""
    for at in range(0, len(data), _ROW):
        row = data[at : at + _ROW]
        left, right = row[: _ROW // 2].hex(" "), row[_ROW // 2 :].hex(" ")
        text = "".join(chr(byte) if 0x20 <= byte < 0x7F else "." for byte in row)
        yield f"{at:08x}  {left:<23}  {right:<23}  {text}"
