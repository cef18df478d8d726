"""Standard output is data, standard error is narration; nothing else writes to either."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from typing import Any, BinaryIO, TextIO

from evalbox.domain.inert import Neutraliser, inert, inert_line
from evalbox.errors import AmbiguousId, EvalboxError, ImageBuildError

_COLOURS = {"red": "31", "green": "32", "yellow": "33", "blue": "34", "grey": "90", "bold": "1"}
STDERR = 2


class Console:
    """Where a command prints.

    ``colour`` None means: on a terminal, unless ``NO_COLOR`` is set. ``quiet`` leaves out all
    narration but errors. ``raw`` passes a job's output through to a terminal as it is.
    """

    def __init__(
        self,
        *,
        colour: bool | None = None,
        quiet: bool = False,
        raw: bool = False,
        environ: Mapping[str, str] = os.environ,
    ) -> None:
        self.out: TextIO = sys.stdout
        self.err: TextIO = sys.stderr
        self.out_is_terminal = self.out.isatty()
        self.err_is_terminal = self.err.isatty()
        self.quiet = quiet
        self.raw = raw
        plain = bool(environ.get("NO_COLOR")) or environ.get("TERM") == "dumb"
        self._colour = colour if colour is not None else not plain
        self._status = ""
        self._fresh_line = True
        self._busy = False
        self._neutralisers = {1: Neutraliser(), 2: Neutraliser()}

    # data

    def data(self, text: str) -> None:
        """A line of the command's result."""
        self._clear_status()
        self._write_text(self.out, text + "\n")

    def json(self, value: Any, *, compact: bool = False) -> None:
        indent = None if compact else 2
        self.data(json.dumps(value, ensure_ascii=False, indent=indent, allow_nan=False))

    def binary(self, data: bytes) -> None:
        """Data that is not text, as it is."""
        self._write_bytes(self.out, data)

    def job(self, stream: int, data: bytes) -> None:
        """What a job printed: as it is, but inert on a terminal."""
        target, terminal = (
            (self.err, self.err_is_terminal) if stream == STDERR
            else (self.out, self.out_is_terminal)
        )  # fmt: skip
        self._clear_status()
        self._busy = True
        if terminal and not self.raw:
            self._write_text(target, self._neutralisers[stream].feed(data))
        else:
            self._write_bytes(target, data)
        if terminal:
            self._fresh_line = data.endswith((b"\n", b"\r"))
        self._busy = False

    def end_of_job(self) -> None:
        """What a job left unfinished is finished: half a character, half a line."""
        for stream, target in ((1, self.out), (2, self.err)):
            rest = self._neutralisers[stream].feed(b"", final=True)
            if rest:
                self._write_text(target, rest)
        if not self._fresh_line and self.err_is_terminal and not self.quiet:
            self._write_text(self.err, "\n")
        self._fresh_line = True

    # narration

    def note(self, text: str) -> None:
        if not self.quiet:
            self._line(text)

    def build(self, text: str) -> None:
        """What the making of an image prints: a line, or the beginning of more of it."""
        self.note(inert(text.rstrip("\n")))

    def warn(self, text: str) -> None:
        if not self.quiet:
            self._line(f"evalbox: {self.style('warning', 'yellow', error=True)}: {inert(text)}")

    def error(self, error: EvalboxError) -> None:
        """One line that says what happened, and one with the remedy where there is one."""
        # What a build printed in the end stands in lines of its own.
        parts = error.message.split("\n") if isinstance(error, ImageBuildError) else ()
        first, *more = parts or (error.message,)
        self._line(f"evalbox: {self.style('error', 'red', error=True)}: {inert_line(first)}")
        for line in more:
            self._line(f"  {inert_line(line)}")
        if isinstance(error, AmbiguousId):
            for candidate in error.candidates:
                self._line(f"  {candidate}")
        if error.hint:
            self._line(f"  hint: {inert_line(error.hint)}")

    def status(self, text: str) -> None:
        """A line on a terminal that gives way to whatever is printed next; elsewhere nothing."""
        # A job's output is written in a thread, which a terminal may hold up.
        if self.quiet or self._busy or not self.err_is_terminal or text == self._status:
            return
        self._clear_status()
        if self._fresh_line:
            width = max(20, _columns(self.err) - 1)
            self._write_text(self.err, self.style(inert_line(text)[:width], "grey", error=True))
            self._status = text

    def style(self, text: str, *styles: str, error: bool = False) -> str:
        """``text`` in colour where the stream it is for shows colours."""
        terminal = self.err_is_terminal if error else self.out_is_terminal
        if not (terminal and self._colour and styles and text):
            return text
        codes = ";".join(_COLOURS[style] for style in styles)
        return f"\x1b[{codes}m{text}\x1b[0m"

    def _line(self, text: str) -> None:
        self._clear_status()
        self._write_text(self.err, text + "\n")

    def _clear_status(self) -> None:
        if self._status:
            self._status = ""
            self._write_text(self.err, "\r\x1b[K")

    def _write_text(self, target: TextIO, text: str) -> None:
        encoding = target.encoding or "utf-8"
        target.write(text.encode(encoding, "replace").decode(encoding))
        target.flush()

    def _write_bytes(self, target: TextIO, data: bytes) -> None:
        self._clear_status()
        target.flush()
        binary: BinaryIO = target.buffer
        binary.write(data)
        binary.flush()


def _columns(stream: TextIO) -> int:
    try:
        return os.get_terminal_size(stream.fileno()).columns
    except (OSError, ValueError):
        return 80
