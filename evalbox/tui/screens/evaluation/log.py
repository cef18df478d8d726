"""What an attempt prints, as it prints it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import aclosing
from functools import partial
from pathlib import Path
from typing import ClassVar

from textual.actions import SkipAction
from textual.binding import Binding, BindingType
from textual.widget import Widget

from evalbox.domain.quantity import format_size
from evalbox.domain.records import OutputPiece
from evalbox.errors import ServiceUnreachable
from evalbox.tui.context import Context
from evalbox.tui.model.log import Log
from evalbox.tui.model.subject import Subject
from evalbox.tui.saving import ask_where
from evalbox.tui.screens.evaluation.pane import Pane
from evalbox.tui.widgets.reader import Reader

#: Bytes of an output that has ended which are read back from its end; and that are taken in before
#: others have their turn, a few milliseconds' worth whatever they are.
_TAIL, _AT_ONCE = 2 << 20, 8 << 10
#: What begins the line that begins a phase, on standard error.
PHASE, _ERRORS = "==> ", 2


class LogPane(Pane):
    NAME = "log"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("S", "save", "save", id="log.save", tooltip="Save all that it printed to a file"),
        Binding("right_square_bracket", "phase(1)", "phase", show=False, id="log.phase_after",
                tooltip="Go to where its next phase begins"),
        Binding("left_square_bracket", "phase(-1)", "phase before", show=False,
                id="log.phase_before", tooltip="Go to where the phase before begins"),
    ]  # fmt: skip

    def __init__(self, subject: Subject, context: Context) -> None:
        super().__init__(subject, context)
        self._log = Log()
        self._read = 0
        self.reader = Reader(self._log, context.glyphs)

    def content(self) -> Iterable[Widget]:
        yield self.reader

    def settle(self) -> None:
        self.reader.settle()

    def look(self) -> None:
        super().look()
        self.reader.view.look()

    async def renew(self) -> None:
        """Reads on in another attempt where another is looked at."""
        number = self.subject.attempt
        if number and number != self._read:
            self._read = number
            self._log = Log()
            self.reader.view.show(self._log)
            self.page.begin(partial(self._follow, number, self._log), group="log")

    async def _follow(self, number: int, log: Log) -> None:
        subject = self.subject
        attempt = subject.shown
        # What has ended is read from near its end; what runs, from its beginning.
        ended = attempt is not None and attempt.verdict is not None
        offset = max(0, attempt.output_bytes - _TAIL) if attempt and ended else 0
        pieces = subject.box.output(subject.id, attempt=number, offset=offset, follow=not ended)
        try:
            async with aclosing(pieces) as output:  # type: ignore[type-var]
                async for piece in output:
                    for part in _parts(piece):
                        log.feed(part)
                        await asyncio.sleep(0)
        except ServiceUnreachable:
            # Read anew when the box is there again.
            self._read = 0
            raise

    def aside(self) -> str:
        log = self._log
        words = [self.about_attempt(), f"{log.total:,} lines"]
        if log.first > 1:
            words.append(f"from {log.first:,} on")
        attempt = self.subject.shown
        if attempt is not None and attempt.truncated:
            words.append("cut at its limit")
        return "  ".join(filter(None, words + self.reader.told()))

    # --- phases ---

    def action_phase(self, by: int) -> None:
        """Where its task has phases of its own; else the keys are for whoever else has them."""
        begins = {f"{PHASE}{step.name}" for step in self.subject.steps}
        if not begins:
            raise SkipAction
        numbers = [
            number
            for number in self._log.find(PHASE)
            if (line := self._log.line(number)) and line.stream == _ERRORS and line.text in begins
        ]
        if not self.reader.view.step_to(numbers, by):
            self.page.tell("there is no phase that way")

    # --- saving ---

    def action_save(self) -> None:
        number = self.subject.attempt
        if not number:
            self.page.tell("nothing to save: it has not started")
            return
        name = f"evalbox-{self.subject.id[-8:]}-try{number}.log"
        ask_where(self.page, "Save all that it printed, as it came, to", name,
                  partial(self._save, number))  # fmt: skip

    async def _save(self, number: int, place: Path, replace: bool) -> None:
        from evalbox.export.saving import save

        size = await save(self._bytes(number), place, replace=replace)
        self.page.tell(f"{format_size(size)} in {place}")

    async def _bytes(self, number: int) -> AsyncIterator[bytes]:
        async for piece in self.subject.box.output(self.subject.id, attempt=number):
            yield piece.data


def _parts(piece: OutputPiece) -> Iterable[OutputPiece]:
    data = piece.data
    if len(data) <= _AT_ONCE:
        return [piece]
    return (
        OutputPiece(piece.offset + at, piece.stream, piece.at, data[at : at + _AT_ONCE])
        for at in range(0, len(data), _AT_ONCE)
    )
