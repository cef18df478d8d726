"""Who makes images here: the scheduler where it runs in this process, else this process alone."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from evalbox.engines.base import Engine
from evalbox.errors import Busy
from evalbox.scheduler.building import Builds
from evalbox.scheduler.gate import Gate
from evalbox.scheduler.supplies import Supplies
from evalbox.store.store import Store


class Builders:
    """``running`` gives the scheduler's, None where it is not here."""

    def __init__(
        self,
        store: Store,
        engine: Callable[[str], Engine],
        running: Callable[[], Builds | None],
    ) -> None:
        self._store = store
        self._engine = engine
        self._running = running

    @asynccontextmanager
    async def opened(self, supplies: Supplies) -> AsyncIterator[Builds]:
        """``supplies`` where it is this process alone.

        Raises ``Busy`` where another process runs the queue.
        """
        builds = self._running()
        if builds is not None:
            yield builds
            return
        if not self._store.lock.try_acquire():
            raise Busy(
                f"images are made by process {self._store.lock.holder()}, which runs the queue",
                hint="ask again in a moment",
            )
        gates: dict[str, Gate] = {}

        def gate(name: str) -> Gate:
            if name not in gates:
                gates[name] = Gate(self._engine(name), tidy=_tidy, on_change=lambda gate: None)
            return gates[name]

        builds = Builds(self._store, self._store.clock, gate=gate, supplies=supplies)
        try:
            yield builds
        finally:
            await builds.close()
            for one in gates.values():
                await one.close()
            self._store.lock.release()


async def _tidy(engine: Engine) -> None:
    """What is there may be waiting to be adopted by who runs the queue next."""
