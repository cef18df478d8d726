"""Copies what operations print to standard output: all of a little, both ends of much."""

from __future__ import annotations

import threading

from .narration import write_all

#: Bytes of one operation that are copied at once, and of the end of what is more than that.
HEAD, TAIL = 256 * 1024, 64 * 1024
_PIECE = 64 * 1024


class Pump:
    """Reads ``descriptor``, which is its own then, until nobody has the other end any more.

    A daemon that an operation leaves behind may have it for ever: it is read on, and never held up.
    """

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._lock = threading.Lock()
        self._copied = 0
        self._left_out = 0
        self._tail = b""
        self._at_rest = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        with open(self._descriptor, "rb", buffering=0) as source:
            while data := source.read(_PIECE):
                self._take(data)
        self._at_rest.set()

    def _take(self, data: bytes) -> None:
        with self._lock:
            room = max(0, HEAD - self._copied)
            write_all(1, data[:room])
            self._copied += min(room, len(data))
            rest = self._tail + data[room:]
            self._tail = rest[-TAIL:]
            self._left_out += len(rest) - len(self._tail)

    def settle(self, seconds: float = 0.2) -> None:
        """The operation is over: tells the end of what it printed. A daemon's words are dropped
        from here on, but for what there is room for.
        """
        self._at_rest.wait(seconds)
        with self._lock:
            if self._left_out:
                write_all(1, b"\n... %d bytes left out ...\n" % self._left_out)
            write_all(1, self._tail)
            self._tail, self._left_out = b"", 0
