"""Keeps a book and a standing true to a box, for as long as it runs."""

from __future__ import annotations

import asyncio
import gc
import time
from collections.abc import Awaitable, Callable
from contextlib import aclosing

from evalbox.domain.records import EvaluationFilter
from evalbox.domain.state import ACTIVE, State
from evalbox.errors import EvalboxError, NotFound
from evalbox.service.box import Box
from evalbox.tui.model.book import Book
from evalbox.tui.model.standing import Standing

#: Evaluations of the first page, which is to be seen at once, and of those behind it: where the
#: queue runs in this process, no more than can be made in 2 ms or so, since it waits meanwhile.
_FIRST, _HERE, _ELSEWHERE = 100, 50, 200
#: Of each state that is not final, wherever in the history.
_EARLY = 200
#: For each second of reading, so many of leaving the processor to the queue.
_REST = 1.0
#: Events taken in before others get their turn; strangers asked for at once.
_TURN, _STRANGERS = 100, 200
#: Seconds before a feed that broke is tried again.
_AGAIN = 2.0
#: Seconds of the host's past that are asked for at the start.
_PAST = 3600.0
_UNFINISHED = ACTIVE | {State.QUEUED}


class Keeper:
    """``on_change`` is called after what is to be seen at once; all else the next look finds.

    ``attending`` says whether what attempts are at is to be seen now.
    """

    def __init__(
        self,
        box: Box,
        book: Book,
        standing: Standing,
        *,
        interval: float,
        attending: Callable[[], bool],
        on_change: Callable[[], None],
    ) -> None:
        self._box = box
        self._book = book
        self._standing = standing
        self._interval = interval
        self._attending = attending
        self._on_change = on_change

    @property
    def loaded(self) -> bool:
        return self._book.complete

    async def run(self) -> None:
        """Never returns; what fails is told and tried again."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._forever(self._keep_standing), name="tui-standing")
            group.create_task(self._forever(self._keep_activity), name="tui-activity")
            group.create_task(self._forever(self._keep_book), name="tui-feed")

    async def _forever(self, work: Callable[[], Awaitable[None]]) -> None:
        while True:
            try:
                await work()
            except* EvalboxError as errors:
                self._standing.fail(_first(errors).message)
                self._on_change()
            await asyncio.sleep(_AGAIN)

    # --- the queue and the host ---

    async def _keep_standing(self) -> None:
        since: float | None = time.time() - _PAST
        while True:
            queue = await self._box.queue()
            self._standing.update(queue, await self._box.host(since=since))
            if since is not None:
                since = None
                self._on_change()
            await asyncio.sleep(self._interval)

    async def _keep_activity(self) -> None:
        while True:
            if self._attending():
                self._standing.attend(await self._box.activity())
            await asyncio.sleep(self._interval)

    # --- the evaluations ---

    async def _keep_book(self) -> None:
        book = self._book
        if not book.seq:
            book.seq = await self._box.last_seq()
        async with asyncio.TaskGroup() as group:
            loading = group.create_task(self._load(), name="tui-load")
            strangers = group.create_task(self._ask_for_strangers(), name="tui-strangers")
            try:
                await self._follow()
            finally:
                loading.cancel()
                strangers.cancel()

    async def _follow(self) -> None:
        taken = 0
        async with aclosing(self._box.events(after=self._book.seq, follow=True)) as events:  # type: ignore[type-var]
            async for event in events:
                self._book.fold(event)
                taken += 1
                if taken % _TURN == 0:
                    await asyncio.sleep(0)

    async def _load(self) -> None:
        """Once: what is unfinished, wherever in the history, and then all, newest first."""
        if self._book.complete:
            return
        after = await self._page(None, _FIRST)
        self._on_change()
        for state in _UNFINISHED:
            query = EvaluationFilter(states=frozenset({state}))
            self._book.learn(await self._box.list(query, limit=_EARLY))
        self._on_change()
        # Looking for garbage among all that stays held up the loop for longer each time: only what
        # came with a page is looked through.
        gc.disable()
        try:
            await self._load_rest(after)
            # So many rows that stay would hold it up for 70 ms whenever garbage is looked for.
            gc.freeze()
        finally:
            gc.enable()
        self._book.complete = True
        self._on_change()

    async def _load_rest(self, after: str | None) -> None:
        while after is not None:
            began = time.monotonic()
            queue = self._standing.queue
            after = await self._page(after, _HERE if queue is None or queue.here else _ELSEWHERE)
            gc.collect(0)
            await asyncio.sleep(_REST * (time.monotonic() - began))

    async def _page(self, after: str | None, size: int) -> str | None:
        """Takes in a page; gives what the next one is behind, None where there is none."""
        items = await self._box.list(EvaluationFilter(), limit=size, after=after)
        self._book.learn(items)
        return items[-1].id if len(items) == size else None

    async def _ask_for_strangers(self) -> None:
        while True:
            await asyncio.sleep(self._interval)
            if strangers := sorted(self._book.strangers, reverse=True)[:_STRANGERS]:
                await self._introduce(strangers)

    async def _introduce(self, strangers: list[str]) -> None:
        """Most are the newest, which one page tells of."""
        self._book.learn(await self._box.list(EvaluationFilter(), limit=len(strangers)))
        for evaluation_id in [one for one in strangers if one in self._book.strangers]:
            try:
                self._book.learn([await self._box.get(evaluation_id)])
            except NotFound:
                self._book.strangers.discard(evaluation_id)


def _first(errors: BaseExceptionGroup[EvalboxError]) -> EvalboxError:
    for error in errors.exceptions:
        return _first(error) if isinstance(error, BaseExceptionGroup) else error
    raise AssertionError("a group of errors holds one")
