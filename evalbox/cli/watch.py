"""Watches one evaluation: its output as it comes, what it waits for, how it ends."""

from __future__ import annotations

import asyncio
import time

from evalbox.cli import render
from evalbox.cli.console import Console
from evalbox.cli.interrupt import beside
from evalbox.domain.attempt import Attempt
from evalbox.domain.evaluation import Evaluation
from evalbox.domain.quantity import format_duration, format_size
from evalbox.domain.state import State
from evalbox.service.box import Box
from evalbox.service.cancelling import cancel_unfinished

#: Seconds between looks at an evaluation's state, which only narration needs.
_LOOK = 0.5
#: Seconds that it may wait, or be quiet, before that is told.
_PATIENCE = 1.0
_SAY_AGAIN = 10.0


class Watch:
    """``keep`` collects the output instead of printing it."""

    def __init__(
        self, box: Box, console: Console, evaluation_id: str, *, keep: bool = False
    ) -> None:
        self._box = box
        self._console = console
        self._id = evaluation_id
        self._keep = keep
        self._began = time.monotonic()
        self._last_output: float | None = None
        self.kept = {1: bytearray(), 2: bytearray()}

    async def to_the_end(self) -> tuple[Evaluation, list[Attempt]]:
        """Follows until it has ended."""
        async with beside(self._narrate()):
            try:
                await self._follow()
            except BrokenPipeError:
                # Like a program that writes to a pipe which nobody reads.
                await cancel_unfinished(self._box, [self._id])
                await self._box.wait(self._id)
                raise
            evaluation = await self._box.wait(self._id)
        return evaluation, list(await self._box.attempts(self._id))

    async def _follow(self) -> None:
        attempt = 1
        async for piece in self._box.output(self._id, follow=True):
            if piece.offset == 0 and self._last_output is not None:
                attempt = (await self._box.get(self._id)).attempts
                self._new_attempt(attempt)
            self._last_output = time.monotonic()
            if self._keep:
                self.kept[piece.stream] += piece.data
            else:
                # In a thread: a reader that has stopped must not stop the queue.
                await asyncio.to_thread(self._console.job, piece.stream, piece.data)
        self._console.end_of_job()

    def _new_attempt(self, number: int) -> None:
        for kept in self.kept.values():
            kept.clear()
        self._console.end_of_job()
        self._console.note(f"attempt {number}:")

    async def _narrate(self) -> None:
        said, said_at = "", 0.0
        while True:
            await asyncio.sleep(_LOOK)
            now = time.monotonic()
            if now - (self._last_output or self._began) < _PATIENCE:
                continue
            state = (await self._box.get(self._id)).state
            text = await self._box.explain(self._id) if state is State.QUEUED else str(state)
            self._console.status(f"{text} ({format_duration(now - self._began)})")
            if state is State.QUEUED and text != said and now - said_at > _SAY_AGAIN:
                if not self._console.err_is_terminal:
                    self._console.note(text)
                said, said_at = text, now


def conclude(console: Console, evaluation: Evaluation, attempts: list[Attempt]) -> None:
    """Says on standard error how it ended."""
    last = attempts[-1] if attempts else None
    if last is not None and last.truncated:
        kept = format_size(last.output_bytes)
        console.note(f"the output was cut after {kept} (--output-limit)")
    console.note(render.verdict(console, evaluation, attempts))
