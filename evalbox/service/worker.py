"""Runs the queue in this process while it holds the data directory's lock."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from dataclasses import asdict

from evalbox.config.settings import Settings
from evalbox.domain.clock import Clock
from evalbox.domain.host import HostSample
from evalbox.engines.base import Engine
from evalbox.errors import StoreError
from evalbox.monitor.host import HostMonitor, HostSampler
from evalbox.scheduler.admission import HostState
from evalbox.scheduler.attempt import AttemptRun
from evalbox.scheduler.scheduler import Scheduler
from evalbox.service import audit
from evalbox.service.alerts import Alerts, Watched
from evalbox.service.conductor import Conductor
from evalbox.service.deliveries import Deliveries
from evalbox.store.store import Store
from evalbox.telemetry.logs import get_logger

log = get_logger(__name__)

#: Seconds between tries to take the lock over from another process.
_STANDBY = 0.5
#: Seconds between measurements of the host that are kept.
_HOST_HISTORY = 10.0
#: Seconds for which webhooks are still told what has just ended.
_LAST_MESSAGES = 5.0
#: Seconds between collections of files that nothing refers to.
_GARBAGE = 3600.0


class Worker:
    """``scheduler`` is None while another process runs the queue."""

    def __init__(
        self,
        store: Store,
        settings: Settings,
        *,
        make_engine: Callable[[str], Engine],
        clock: Clock,
        warm: int,
        on_note: Callable[[str], None],
        on_lock: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        self.scheduler: Scheduler | None = None
        #: Set once this process runs the queue.
        self.working = asyncio.Event()
        self._store = store
        self._settings = settings
        self._make_engine = make_engine
        self._clock = clock
        self._warm = warm
        self._note = on_note
        self._on_lock = on_lock
        #: Whether it claims no more, and is about to end.
        self.draining = False
        self._host = HostMonitor(HostSampler(settings.data_dir, clock))
        self._deliveries: Deliveries | None = None
        self._standby: asyncio.Task[None] | None = None
        self._upkeep: list[asyncio.Task[None]] = []

    def run_of(self, evaluation_id: str) -> AttemptRun | None:
        return self.scheduler.run_of(evaluation_id) if self.scheduler else None

    @property
    def host_sample(self) -> HostSample | None:
        """The newest, where this process runs the queue."""
        return self._host.latest

    async def start(self) -> None:
        """Begins to run the queue, or to stand by for it."""
        if self._store.lock.try_acquire():
            await self._work()
            return
        self._note(f"the queue is run by process {self._store.lock.holder()}")
        self._standby = asyncio.create_task(self._stand_by(), name="stand-by")

    async def _stand_by(self) -> None:
        # A file lock tells nobody when it falls free.
        while not await self._take_over():  # noqa: ASYNC110
            await asyncio.sleep(_STANDBY)

    async def _take_over(self) -> bool:
        try:
            if not self._store.lock.try_acquire():
                return False
            self._note("the process that ran the queue is gone: running it here")
            await self._work()
        except Exception as error:
            # Another process may fare better, and this one the next time.
            log.exception("the queue was not taken over", error=str(error))
            await self._host.__aexit__()
            self._store.lock.release()
            return False
        return True

    async def _work(self) -> None:
        if self._on_lock is not None:
            await self._on_lock()
        await self._host.__aenter__()
        scheduler = Scheduler(
            self._store,
            self._settings,
            make_engine=self._make_engine,
            host=self._host_state,
            clock=self._clock,
            warm=self._warm,
        )
        await scheduler.start()
        self.scheduler = scheduler
        self._deliveries = Deliveries(self._store, self._settings, self._clock)
        await self._deliveries.start()
        self.working.set()
        conductor = Conductor(self._store, self._clock, scheduler.cancel)
        self._upkeep = [
            asyncio.create_task(conductor.conduct(), name="batches"),
            asyncio.create_task(self._keep_history(), name="host-history"),
            asyncio.create_task(self._collect_garbage(), name="garbage"),
            asyncio.create_task(self._watch(scheduler), name="alerts"),
        ]

    async def _watch(self, scheduler: Scheduler) -> None:
        def watched() -> Watched:
            # Without the room that is kept for the first in line, and slots that are taken.
            holding = scheduler.budget.holding if scheduler.budget is not None else ""
            return Watched(scheduler.shut_engines(), holding, self._host.latest)

        await Alerts(self._store, self._settings, self._clock, watched).watch()

    async def _keep_history(self) -> None:
        while True:
            sample = self._host.latest
            if sample is not None:
                with contextlib.suppress(StoreError):
                    await self._store.add_host_sample(sample.at, asdict(sample))
            await asyncio.sleep(_HOST_HISTORY)

    async def _collect_garbage(self) -> None:
        while True:
            with contextlib.suppress(StoreError):
                await self._store.collect_garbage(self._clock.now())
                await audit.expire(self._store, self._settings.audit_keep)
            await asyncio.sleep(_GARBAGE)

    def _host_state(self) -> HostState:
        sample = self._host.latest
        if sample is None:
            raise RuntimeError("the host is measured before the scheduler starts")
        return HostState(
            cores=len(sample.cores),
            memory_total=sample.memory_total,
            memory_percent=sample.memory_percent,
            disk_free=sample.disk_free,
            load=sample.load[0],
        )

    async def stop(self, *, drain: float | None) -> None:
        """The lock stays held until the store is closed: others may still be attached here."""
        self.draining = True
        standby = [self._standby] if self._standby is not None else []
        background = [*standby, *self._upkeep]
        for task in background:
            task.cancel()
        await asyncio.gather(*background, return_exceptions=True)
        try:
            if self.scheduler is not None:
                await self.scheduler.stop(drain=drain)
            if self._deliveries is not None:
                await self._deliveries.stop(patience=0 if drain == 0 else _LAST_MESSAGES)
        finally:
            await self._host.__aexit__()
