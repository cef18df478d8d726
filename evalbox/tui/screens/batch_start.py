"""A batch file run from the screen: chosen, looked at once more, and queued."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from functools import partial
from pathlib import Path

from evalbox.batches.rehearsal import Line, rehearse
from evalbox.batches.start import Ready, begin, prepare, ready
from evalbox.domain.paths import expanded
from evalbox.requests.request import Defaults
from evalbox.tui import wording
from evalbox.tui.form.browsing import Browsing
from evalbox.tui.screens.choice import confirm
from evalbox.tui.screens.page import Page
from evalbox.tui.wording import count

#: Tasks, agents, or kinds of limits that are named.
_NAMED = 4
#: The box has its own engine and image.
_DEFAULTS = Defaults()


class BatchStart:
    """One at a time. ``doing`` tells how far it is, and is empty when nothing goes on.

    ``changed`` is called when it is another, ``done`` when a batch has been queued.
    """

    def __init__(
        self, page: Page, *, changed: Callable[[], None], done: Callable[[], None]
    ) -> None:
        self._page = page
        self._box = page.context.box
        self._changed = changed
        self._done = done
        self.doing = ""

    def ask(self) -> None:
        if self.doing:
            self._page.tell(f"not now: {self.doing}")
            return
        self._page.ask(Browsing(self._page.context), self._chosen)

    def _chosen(self, path: Path) -> None:
        self._page.begin(partial(self._working, partial(self._look, path)))

    async def _working(self, work: Callable[[], Awaitable[None]]) -> None:
        try:
            await work()
        finally:
            self._tell("")

    def _tell(self, text: str) -> None:
        self.doing = text
        self._changed()

    async def _look(self, path: Path) -> None:
        self._tell(f"reading {path}")
        now = self._page.context.clock.now()
        batch = await asyncio.to_thread(ready, expanded(path), _DEFAULTS, now=now)
        lines = await rehearse(self._box, batch.file, batch.units, failed_too=False)

        def answered(sure: bool) -> None:
            if sure:
                self._page.begin(partial(self._working, partial(self._begin, batch)))

        question = f"Run batch {batch.file.name}: {_size(batch, lines)}?"
        self._page.ask(confirm(question, detail=rehearsed(batch, lines), yes="run"), answered)

    async def _begin(self, batch: Ready) -> None:
        self._tell(f"queueing {batch.file.name}")
        for engine in batch.engines:
            await self._box.require_engine(engine)
        standing = await prepare(self._box, batch, self._building, reading=self._tell)
        number = len(standing.new) + len(standing.again)
        await begin(self._box, batch, standing, self._building, now=self._page.context.clock.now())
        told = f"{count(number, 'evaluation')} queued" if number else "nothing was left to queue"
        self._page.tell(f"batch {batch.file.name}: {told}")
        self._done()

    def _building(self, text: str) -> None:
        for told in text.splitlines():
            if told.strip():
                self._tell(told)


def _size(batch: Ready, lines: Sequence[Line]) -> str:
    """A family has as many tasks as its image tells."""
    number = sum(line.epochs for line in lines)
    if all(line.known for line in lines):
        return count(number, "evaluation")
    return f"{count(number, 'evaluation')} or more"


def rehearsed(batch: Ready, lines: Sequence[Line]) -> list[str]:
    """What would be run, in words."""
    file = batch.file
    most = "as many as there is room for" if file.concurrency is None else f"{file.concurrency:,}"
    told = [
        f"tasks       {_names(line.task for line in lines)}",
        f"agents      {_names(line.agent or 'none' for line in lines)}",
        f"epochs      {file.epochs:,}",
        *(f"limits      {text}" for text in _limits(batch)),
        f"at once     {most}",
    ]
    known = [line for line in lines if line.known]
    if any(line.waiting or line.done for line in known):
        told.append(
            f"of these    {sum(line.new for line in known):,} to run,"
            f" {sum(line.waiting for line in known):,} under way,"
            f" {sum(line.done for line in known):,} done before"
        )
    if len(known) < len(lines):
        told.append("            how many tasks a family has is known when its image is built")
    if file.fail_fast:
        told.append("fail fast   the first failure cancels what has not begun")
    if file.reduce is not None:
        told.append("reduce      a last step when all have ended")
    return told


def _names(names: Iterable[str]) -> str:
    distinct = list(dict.fromkeys(names))
    more = len(distinct) - _NAMED
    shown = ", ".join(distinct[:_NAMED])
    told = f"{shown}, and {more:,} more" if more > 0 else shown
    return f"{len(distinct):,}: {told}"


def _limits(batch: Ready) -> list[str]:
    """Of each kind that there is."""
    distinct = list(dict.fromkeys(
        wording.limits(unit.asked.spec.limits) for unit in batch.units
    ))  # fmt: skip
    more = len(distinct) - _NAMED
    return [*distinct[:_NAMED], *([f"and {more:,} more"] if more > 0 else [])]
