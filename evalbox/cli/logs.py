"""``evalbox logs``."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterator

import click

from evalbox.cli.command import Command, with_session
from evalbox.cli.console import Console
from evalbox.cli.options import id_argument, json_option
from evalbox.cli.session import Session
from evalbox.domain.records import OutputPiece
from evalbox.errors import NotFound
from evalbox.requests.values import whole
from evalbox.wire.moments import iso

_STREAMS = {"stdout": 1, "stderr": 2}


@click.command("logs", cls=Command)
@id_argument()
@click.option("--follow", "-f", is_flag=True, help="Go on until it has ended.")
@click.option("--attempt", metavar="N", help="Of this attempt.  [default: the newest]")
@click.option("--stream", type=click.Choice(["stdout", "stderr"]), help="Only this stream.")
@click.option("--timestamps", "-t", is_flag=True, help="When each line came, in front of it.")
@click.option("--tail", "-n", metavar="N", help="Only the last N lines so far.")
@click.option("--raw", is_flag=True, help="Let the terminal obey the program's output.")
@json_option
@with_session
async def logs_command(
    session: Session,
    *,
    reference: str,
    follow: bool,
    attempt: str | None,
    stream: str | None,
    timestamps: bool,
    tail: str | None,
    raw: bool,
    as_json: bool,
) -> None:
    """Print what an evaluation printed.

    It goes to standard output and standard error, as it did. With --json one object a line, with
    the text and the time of each piece.
    """
    number = None if attempt is None else whole(attempt, field="attempt", low=1, high=1 << 31)
    lines = None if tail is None else whole(tail, field="tail", low=0, high=1 << 31)
    session.raw = raw
    printer = _Printer(session.console, timestamps=timestamps, as_json=as_json)
    only = _STREAMS.get(stream or "")
    # The queue is run here, if nobody else does, only while the output is waited for.
    async with session.box(work=follow) as box:
        evaluation_id = await box.resolve(reference)
        if number is not None and number > (await box.get(evaluation_id)).attempts:
            raise NotFound(f"evaluation {evaluation_id[-8:]} has no attempt {number}")
        offset = 0
        if lines is not None:
            last = _Tail(lines)
            async for piece in box.output(evaluation_id, attempt=number):
                offset = piece.offset + len(piece.data)
                if only in (None, piece.stream):
                    last.add(piece)
            for piece in last.pieces():
                await asyncio.to_thread(printer.print, piece)
            if not follow:
                printer.end()
                return
        async for piece in box.output(evaluation_id, attempt=number, offset=offset, follow=follow):
            if only in (None, piece.stream):
                await asyncio.to_thread(printer.print, piece)
        printer.end()


class _Printer:
    def __init__(self, console: Console, *, timestamps: bool, as_json: bool) -> None:
        self._console = console
        self._timestamps = timestamps
        self._as_json = as_json
        self._at_line_start = {1: True, 2: True}

    def print(self, piece: OutputPiece) -> None:
        if self._as_json:
            stream = "stdout" if piece.stream == 1 else "stderr"
            line = {"at": iso(piece.at), "stream": stream, "offset": piece.offset}
            self._console.json(line | {"text": piece.data.decode(errors="replace")}, compact=True)
        elif self._timestamps:
            self._console.job(piece.stream, self._stamped(piece))
        else:
            self._console.job(piece.stream, piece.data)

    def end(self) -> None:
        self._console.end_of_job()

    def _stamped(self, piece: OutputPiece) -> bytes:
        stamp = f"{iso(piece.at)} ".encode()
        lines = piece.data.splitlines(keepends=True)
        stamped = stamp.join(lines)
        if self._at_line_start[piece.stream]:
            stamped = stamp + stamped
        self._at_line_start[piece.stream] = piece.data.endswith((b"\n", b"\r"))
        return stamped


class _Tail:
    """The last lines of what was added, in memory no larger than those."""

    def __init__(self, lines: int) -> None:
        self._wanted = lines
        self._pieces: deque[OutputPiece] = deque()
        self._newlines = 0

    def add(self, piece: OutputPiece) -> None:
        self._pieces.append(piece)
        self._newlines += piece.data.count(b"\n")
        # The piece before the oldest line that is wanted ends before that line begins.
        while self._newlines - self._pieces[0].data.count(b"\n") > self._wanted:
            self._newlines -= self._pieces.popleft().data.count(b"\n")

    def pieces(self) -> Iterator[OutputPiece]:
        if not self._pieces or not self._wanted:
            return
        ended = self._pieces[-1].data.endswith(b"\n")
        surplus = self._newlines - self._wanted + (0 if ended else 1)
        for piece in self._pieces:
            data = piece.data
            while surplus > 0 and data:
                _, newline, data = data.partition(b"\n")
                if newline:
                    surplus -= 1
            if data:
                cut = len(piece.data) - len(data)
                yield OutputPiece(piece.offset + cut, piece.stream, piece.at, data)
