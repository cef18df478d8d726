"""Follows the phases of a task whose life a driver in the sandbox leads."""

from __future__ import annotations

from contextlib import suppress

from evalbox.domain.clock import Clock
from evalbox.engines.base import Stream
from evalbox.errors import StoreError
from evalbox.scheduler.progress import Progress
from evalbox.store.store import Store
from evalbox.tasks.judging import Judge
from evalbox.tasks.narration import TAIL, Narration


class Steps:
    """Of one attempt, as the driver says them on standard error. None without a ``judge``."""

    def __init__(
        self,
        store: Store,
        key: tuple[str, int],
        judge: Judge | None,
        *,
        clock: Clock,
        progress: Progress,
    ) -> None:
        self._store = store
        self._key = key
        self._judge = judge
        self._clock = clock
        self._progress = progress
        self._narration = Narration(judge.phases if judge else ())

    async def take_over(self) -> None:
        """Goes on behind what an earlier process has told of. Raises ``StoreError``."""
        if self._judge is None:
            return
        begun = await self._store.phases(*self._key)
        ends = await self._store.read_ends(*self._key, Stream.STDERR, TAIL + 1)
        before = ends[-1] if ends else b""
        self._narration = Narration(self._judge.phases, [name for name, _ in begun], before)
        if begun:
            self._progress.take_step(*begun[-1])

    async def follow(self, data: bytes) -> None:
        """To be called before ``data``, which is of standard error, is kept: so after a crash in
        between, it comes again, and what was told of it is known.
        """
        if self._judge is None:
            return
        for phase in self._narration.feed(data):
            now = self._clock.now()
            self._progress.take_step(phase, now)
            # It is for those who watch: a disk that is full shows when the verdict is recorded.
            with suppress(StoreError):
                scoring = phase == self._judge.scoring
                await self._store.mark_phase(*self._key, now, phase, scoring=scoring)
