"""Keeps what an attempt prints, up to its limit."""

from __future__ import annotations

import asyncio
from functools import partial

from evalbox.domain.clock import Clock
from evalbox.engines.base import Chunk, Stream
from evalbox.store.outputs import OutputWriter
from evalbox.store.store import Store


class Transcript:
    """The output of one attempt, at most ``limit`` bytes of it.

    ``grew`` is set, and replaced, when there is more. ``first_at`` and ``last_at`` are when the
    first and the newest byte came, ``truncated`` says that more came than was kept.
    """

    def __init__(self, store: Store, key: tuple[str, int], limit: int, clock: Clock) -> None:
        self.grew = asyncio.Event()
        self.first_at: float | None = None
        self.last_at: float | None = None
        self.truncated = False
        self._store = store
        self._key = key
        self._limit = limit
        self._clock = clock
        self._writer: OutputWriter | None = None
        self._appending: asyncio.Future[None] | None = None

    @property
    def bytes(self) -> int:
        return self._writer.bytes if self._writer else 0

    async def take_over(self) -> None:
        """Goes on behind what an earlier process has kept."""
        self._writer = await asyncio.to_thread(self._store.output_writer, *self._key)
        self.first_at = await self._at(0)
        self.last_at = await self._at(max(0, self.bytes - 1))

    async def _at(self, offset: int) -> float | None:
        kept = await self._store.read_output(*self._key, offset, limit=1)
        return kept[0].at if kept else None

    def seen(self) -> dict[Stream, int]:
        """How much of each stream there is already."""
        if self._writer is None:
            return {}
        return {Stream(number): count for number, count in self._writer.per_stream.items()}

    async def keep(self, chunk: Chunk) -> None:
        """Keeps what there is room for and drops the rest. Raises ``StoreError``."""
        now = self.last_at = self._clock.now()
        if self.first_at is None:
            self.first_at = now
        if self._writer is None:
            self._writer = self._store.output_writer(*self._key)
        room = self._limit - self._writer.bytes
        data = chunk.data[:room] if room < len(chunk.data) else chunk.data
        if data:
            append = partial(self._writer.append, int(chunk.stream), data, now)
            self._appending = asyncio.get_running_loop().run_in_executor(None, append)
            await asyncio.shield(self._appending)
            self.tell()
        if len(data) < len(chunk.data):
            self.truncated = True

    def tell(self) -> None:
        """Wakes those who follow."""
        # A new one each time: so no follower can miss it through another's having reset it.
        grew, self.grew = self.grew, asyncio.Event()
        grew.set()

    async def close(self) -> None:
        """Everything is on the disk when it returns. Raises ``StoreError``."""
        if self._appending is not None:
            # A cancellation leaves it under way, and the files are for one thread at a time.
            await asyncio.wait([self._appending])
        if self._writer is not None:
            # One fsync at the end: what a crash of the machine may lose of a running job's
            # output is lost together with the job.
            await asyncio.to_thread(self._writer.close, sync=True)
