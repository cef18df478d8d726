"""A batch as a terminal follows it: queued, watched, reduced, reported; Ctrl-C leaves it queued."""

from __future__ import annotations

import asyncio
import shlex
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

from evalbox.batches.run import Standing, Tally, follow, members, reduced
from evalbox.batches.start import Ready, begin, prepare
from evalbox.cli import render, status
from evalbox.cli.batch_report import print_report
from evalbox.cli.interrupt import on_interrupt
from evalbox.cli.session import Session
from evalbox.domain.evaluation import Evaluation
from evalbox.domain.experiment import Experiment, experiment
from evalbox.domain.inert import inert_line
from evalbox.domain.outcome import Outcome
from evalbox.domain.quantity import format_duration
from evalbox.domain.state import FINAL, State
from evalbox.service.box import Box
from evalbox.wire import document
from evalbox.wire import experiment as experiments

_BELOW = 1
#: Seconds between lines on what is no terminal.
_SAY_AGAIN = 30.0


@dataclass(frozen=True, slots=True)
class Wishes:
    """``least`` is the pass rate below which the command fails."""

    wait: bool
    dry_run: bool
    failed_too: bool
    least: float | None
    as_json: bool


class Conduct:
    def __init__(self, session: Session, box: Box, batch: Ready, wishes: Wishes) -> None:
        self._session = session
        self._console = session.console
        self._box = box
        self._batch = batch
        self._file = batch.file
        self._wishes = wishes
        self._began = self._said_at = time.monotonic()
        self._before = 0

    async def to_the_end(self) -> int:
        """The exit status."""
        stop = asyncio.Event()

        async def leave() -> None:
            stop.set()

        async with on_interrupt(leave):
            work = asyncio.ensure_future(self._work())
            stopped = asyncio.ensure_future(stop.wait())
            await asyncio.wait({work, stopped}, return_when=asyncio.FIRST_COMPLETED)
            stopped.cancel()
            if work.done():
                return work.result()
            work.cancel()
            with suppress(asyncio.CancelledError):
                await work
        self._console.note(
            "left as it is: what is queued stays queued; go on with"
            f" evalbox batch run {_word(str(self._file.path))},"
            f" or end it with evalbox batch cancel {_word(self._file.name)}"
        )
        return status.INTERRUPTED

    async def _work(self) -> int:
        after = await self._box.last_seq()
        items = await self._queued()
        if not self._wishes.wait:
            return await self._leave(items)
        tally = await follow(
            self._box, self._file.name, items,
            after=after, told=self._tell,
        )  # fmt: skip
        ids = {item.id for item in items}
        ended = [item for item in await members(self._box, self._file.name) if item.id in ids]
        last = await self._reduce(ended)
        return await self._report(ended, last, tally)

    async def _queued(self) -> list[Evaluation]:
        console = self._console
        if self._wishes.wait:
            for engine in self._batch.engines:
                await self._box.require_engine(engine)
        standing = await prepare(
            self._box, self._batch, console.build,
            reading=console.status, failed_too=self._wishes.failed_too,
        )  # fmt: skip
        console.note(f"batch {inert_line(self._file.name)}: {_standing(standing)}")
        self._before = len(standing.done)
        self._began = time.monotonic()
        return await begin(self._box, self._batch, standing, console.build, now=time.time())

    async def _leave(self, items: Sequence[Evaluation]) -> int:
        console = self._console
        if self._wishes.as_json:
            console.json([document.evaluation(item) for item in items])
        if not (await self._box.queue()).working:
            console.note("no process runs the queue: start one with evalbox --serve")
        return status.OK

    def _tell(self, tally: Tally) -> None:
        now = time.monotonic()
        seconds, done = now - self._began, tally.ended - self._before
        left = tally.total - tally.ended
        text = f"{tally.ended:,} of {tally.total:,} have ended, {tally.failed:,} failed"
        if done > 0 and left:
            text += f", about {format_duration(seconds / done * left)} to go"
        if not self._console.err_is_terminal and left and now - self._said_at > _SAY_AGAIN:
            self._console.note(text)
            self._said_at = now
        self._console.status(text)

    async def _reduce(self, ended: Sequence[Evaluation]) -> Evaluation | None:
        if self._file.reduce is None:
            return None
        missing = sum(item.state is State.CANCELLED or item.state not in FINAL for item in ended)
        if missing or not ended:
            self._console.warn(f"the reduce step is not run: {missing:,} were cancelled")
            return None
        self._console.status("reducing")
        found = await reduced(self._box, self._file.name)
        if found is None or found.evaluation_id is None:
            reason = found.reason if found is not None else "its plan was changed meanwhile"
            self._console.warn(f"the reduce step is not run: {inert_line(reason)}")
            return None
        return await self._box.wait(found.evaluation_id)

    async def _report(
        self, ended: Sequence[Evaluation], last: Evaluation | None, tally: Tally
    ) -> int:
        found = experiment(self._file.name, ended, least=self._file.pass_score)
        if self._wishes.as_json:
            told = None if last is None else document.evaluation(last)
            self._console.json({**experiments.experiment(found), "reduce": told})
        else:
            print_report(self._console, found, await self._box.batch(self._file.name))
            if last is not None:
                self._console.data(f"reduce    {self._reduced(last)}")
        self._console.note(
            f"{tally.total:,} evaluations in {format_duration(time.monotonic() - self._began)};"
            f" more with evalbox batch report {_word(self._file.name)}"
        )
        return self._status(found, last)

    def _reduced(self, item: Evaluation) -> str:
        shown = f"{render.outcome(self._console, item.outcome)}  {item.id}"
        return shown if item.score is None else f"{shown}  score {item.score.value}"

    def _status(self, found: Experiment, last: Evaluation | None) -> int:
        states = {item.state for item in found.items}
        if State.DEAD in states:
            return status.OUTCOMES[Outcome.INFRA_ERROR]
        if any(item.outcome is Outcome.TASK_ERROR for item in found.items):
            return status.OUTCOMES[Outcome.TASK_ERROR]
        if self._file.fail_fast and states != {State.COMPLETED}:
            return _BELOW
        if last is not None and last.state is not State.COMPLETED:
            return status.of_evaluation(last)
        rate, least = found.all.pass_rate or 0.0, self._wishes.least
        if least is not None and rate < least:
            self._console.note(f"the pass rate {rate:.1%} is below {least:.1%}")
            return _BELOW
        return status.OK


def _standing(standing: Standing) -> str:
    counts = {
        "to run": standing.new,
        "to run again": standing.again,
        "under way": standing.waiting,
        "done before": standing.done,
    }
    told = ", ".join(f"{len(held):,} {what}" for what, held in counts.items() if held)
    return f"{standing.total:,} evaluations: {told}"


def _word(text: str) -> str:
    """As a shell takes it."""
    return inert_line(shlex.quote(text))
