"""Docker's framing of two output streams on one connection.

Each frame is one byte that names the stream (1 standard output, 2 standard error, 3 a complaint of
the engine), three zero bytes, the length of the payload (4 bytes, big-endian), and the payload.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from evalbox.engines.base import Chunk, Stream
from evalbox.errors import EngineError

_HEADER = 8
_COMPLAINT = 3
_COMPLAINT_LIMIT = 4096


class Demultiplexer:
    """Takes a connection's bytes in pieces of any size; holds at most one header of them back.

    ``skip`` bytes of each stream are left out.
    """

    def __init__(self, skip: Mapping[Stream, int] | None = None) -> None:
        self._skip = dict(skip or {})
        self._header = bytearray()
        self._stream = 0
        self._remaining = 0
        self._complaint = bytearray()

    def feed(self, data: bytes) -> Iterator[Chunk]:
        """The chunks that ``data`` completes or goes on with.

        Raises ``EngineError`` with the engine's complaint, or for bytes that are no frames.
        """
        view = memoryview(data)
        while view:
            if not self._remaining:
                missing = _HEADER - len(self._header)
                self._header += view[:missing]
                view = view[missing:]
                if len(self._header) == _HEADER:
                    self._begin_frame()
                continue
            payload, view = view[: self._remaining], view[self._remaining :]
            self._remaining -= len(payload)
            if self._stream == _COMPLAINT:
                self._complain(bytes(payload))
            elif kept := self._after_skip(Stream(self._stream), payload):
                yield Chunk(Stream(self._stream), kept)

    def _begin_frame(self) -> None:
        self._stream = self._header[0]
        self._remaining = int.from_bytes(self._header[4:], "big")
        if self._stream not in (Stream.STDOUT, Stream.STDERR, _COMPLAINT):
            raise EngineError(
                f"the container engine sent output that cannot be read: {bytes(self._header)!r}"
            )
        self._header.clear()

    def _after_skip(self, stream: Stream, payload: memoryview) -> bytes:
        skipped = min(self._skip.get(stream, 0), len(payload))
        if skipped:
            self._skip[stream] -= skipped
        return bytes(payload[skipped:])

    def _complain(self, payload: bytes) -> None:
        self._complaint += payload
        if not self._remaining or len(self._complaint) > _COMPLAINT_LIMIT:
            text = self._complaint[:_COMPLAINT_LIMIT].decode(errors="replace").strip()
            raise EngineError(f"the container engine broke the output off: {text}")
