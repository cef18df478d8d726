"""The program on a real terminal, of which the test holds the other end."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import signal
import struct
import sys
import termios
import threading
import time
from pathlib import Path

import pyte

_SEQUENCE = re.compile(
    rb"\x1b(?:\[[0-9;?<>=$]*[a-zA-Z]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[()][A-Z0-9]|.)"
)
#: What the emulator does not know and would print.
_PRIVATE = re.compile(
    rb"\x1b\[(?:[?><=][0-9;]*\$?|[0-9;]*\$)[a-zA-Z]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)"
)
_UNFINISHED = re.compile(rb"\x1b(?:\[[0-9;?<>=$]*|\][^\x07\x1b]*\x1b?)?$")
PATIENCE = 90.0


class Terminal:
    """``arguments`` are those of ``evalbox``; ``close`` is what ends a lost connection."""

    def __init__(
        self, data: Path, *arguments: str, size: tuple[int, int] = (120, 36), **environ: str
    ) -> None:
        env = {
            "PATH": os.environ["PATH"],
            "HOME": str(data.parent),
            "TMPDIR": str(data.parent),
            "TERM": "xterm-256color",
            "LANG": "C.UTF-8",
            "EVALBOX_DATA_DIR": str(data),
            "EVALBOX_ENGINE": "fake",
            "EVALBOX_LOAD_PER_CORE": "1000",
            "EVALBOX_PORT": "0",
            **environ,
        }
        self.pid, self._master = pty.fork()
        if self.pid == 0:  # pragma: no cover
            os.execve(sys.executable, [sys.executable, "-m", "evalbox", *arguments], env)
        self._screen = pyte.Screen(*size)
        self._stream = pyte.ByteStream(self._screen)
        self._rest = b""
        self._lock = threading.Lock()
        self.resize(*size)
        self.raw = b""
        self._status: int | None = None
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        while True:
            try:
                data = os.read(self._master, 65536)
            except OSError:
                return
            if not data:
                return
            self.raw += data
            with self._lock:
                self._show(self._rest + data)

    def _show(self, data: bytes) -> None:
        unfinished = _UNFINISHED.search(data)
        end = unfinished.start() if unfinished else len(data)
        self._rest = data[end:]
        self._stream.feed(_PRIVATE.sub(b"", data[:end]))

    @property
    def display(self) -> str:
        """What is on the screen."""
        with self._lock:
            return "\n".join(self._screen.display)

    def resize(self, columns: int, rows: int) -> None:
        with self._lock:
            self._screen.resize(rows, columns)
        fcntl.ioctl(self._master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    @property
    def text(self) -> str:
        """All that was ever shown, without the sequences."""
        return _SEQUENCE.sub(b"", self.raw).decode("utf-8", "replace")

    def forget(self) -> None:
        self.raw = b""

    def type(self, keys: str) -> None:
        os.write(self._master, keys.encode())

    def until(self, wanted: str) -> None:
        end = time.monotonic() + PATIENCE
        while not self._has(wanted):
            assert time.monotonic() < end, self.display
            assert self.alive or self._has(wanted), self.text[-3000:]
            time.sleep(0.02)

    def _has(self, wanted: str) -> bool:
        return wanted in self.display or wanted in self.text

    @property
    def alive(self) -> bool:
        if self._status is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self._status = os.waitstatus_to_exitcode(status)
        return self._status is None

    def close(self) -> None:
        """The terminal goes away: whoever has it gets SIGHUP, and errors from then on."""
        if self._master >= 0:
            master, self._master = self._master, -1
            os.close(master)

    def kill(self, number: signal.Signals) -> None:
        os.kill(self.pid, number)

    def ended(self) -> int:
        """Waits for the end; gives the exit status."""
        end = time.monotonic() + PATIENCE
        while self.alive:
            assert time.monotonic() < end, self.display
            time.sleep(0.02)
        assert self._status is not None
        return self._status

    def cpu_seconds(self) -> float:
        """Processor time that the process has used."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def finish(self) -> None:
        self.close()
        if self.alive:
            os.kill(self.pid, signal.SIGKILL)
            self.ended()
