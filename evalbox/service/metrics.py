"""The figures of a box: what its parts count, and what the store and the host show."""

from __future__ import annotations

import asyncio
import math
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict

from evalbox import __version__
from evalbox.config.settings import Settings
from evalbox.domain.clock import Clock
from evalbox.domain.host import HostSample
from evalbox.domain.outcome import RETRYABLE, Outcome
from evalbox.domain.state import FINAL, State, final_state
from evalbox.scheduler.gate import CHECKING
from evalbox.scheduler.scheduler import Scheduler
from evalbox.service.alerts import ALERTS, engine_alert
from evalbox.service.worker import Worker
from evalbox.store.statistics import Census, Happened
from evalbox.store.store import Store
from evalbox.telemetry.metrics import Family, Reading, gauge, gauges, total, totals

#: Seconds for which what was counted in the store is told again.
_FRESH = 1.0
_ENDS = {f"evaluation.{state}": str(state) for state in FINAL}
_AGAIN = "evaluation.queued"
_KINDS = tuple(f"evaluation.{state}" for state in State)
_ENDINGS = tuple((str(final_state(outcome)), str(outcome)) for outcome in Outcome)
_RETRIED = tuple(str(outcome) for outcome in (*sorted(RETRYABLE), Outcome.INFRA_ERROR))


class Metrics:
    """To be begun before it is read: what happened is counted from then on."""

    def __init__(
        self, store: Store, settings: Settings, clock: Clock, worker: Callable[[], Worker | None]
    ) -> None:
        self._store = store
        self._settings = settings
        self._clock = clock
        self._worker = worker
        self._after = 0
        # What may come is there as none, so that the first is seen to come.
        self._kinds: Counter[str] = Counter(dict.fromkeys(_KINDS, 0))
        self._ends: Counter[tuple[str, ...]] = Counter(dict.fromkeys(_ENDINGS, 0))
        self._retries: Counter[str] = Counter(dict.fromkeys(_RETRIED, 0))
        self._counting = asyncio.Lock()
        self._census: Census | None = None
        self._slots = settings.slots
        self._paused = False
        self._counted_at = -math.inf

    async def begin(self) -> None:
        """Raises ``StoreError``."""
        self._after = await self._store.last_seq()

    def trouble(self) -> str:
        """What keeps the box from its work, without details, since anybody may be told; empty where
        nothing does."""
        if self._store.failing:
            return "the store cannot be written"
        worker = self._worker()
        scheduler = worker.scheduler if worker else None
        name = self._settings.engine
        shut = scheduler.shut_engines() if scheduler is not None else {}
        if shut.get(name, CHECKING) != CHECKING:
            return f"engine {name} makes no sandboxes"
        return ""

    async def read(self) -> list[Reading]:
        """Raises ``StoreError``."""
        async with self._counting:
            now = self._clock.monotonic()
            if self._census is None or now - self._counted_at >= _FRESH:
                await self._count()
                self._counted_at = now
            census = self._census
        assert census is not None  # noqa: S101 - it has just been taken
        worker = self._worker()
        scheduler = worker.scheduler if worker else None
        return [
            Family("gauge", "info", "Which evalbox this is.", ("version",), {(__version__,): 1.0}),
            *self._of_store(census),
            *self._of_log(),
            *self._store.writing(),
            self._of_alerts(census, scheduler.gates if scheduler else ()),
            *_of_scheduler(scheduler),
            *_of_host(worker.host_sample if worker else None),
        ]

    def _of_alerts(self, census: Census, engines: Iterable[str]) -> Reading:
        """Those that may be raised are shown as well, so that their absence is no alert."""
        known = dict.fromkeys((*ALERTS, *(engine_alert(name) for name in engines)), 0.0)
        raised = dict.fromkeys(census.alerts, 1.0)
        return gauges("alert_raised", "1 where the box raised the alert.", "alert", known | raised)

    async def _count(self) -> None:
        self._census = await self._store.census(self._clock.now())
        state = await self._store.queue_state()
        self._slots, self._paused = state.slots or self._settings.slots, state.paused
        happened, self._after = await self._store.tally(self._after)
        for item in happened:
            self._add(item)

    def _add(self, item: Happened) -> None:
        self._kinds[item.kind] += item.count
        if item.kind in _ENDS:
            # A claim that was given back for a cancellation has no outcome of its own.
            outcome = item.outcome or Outcome.CANCELLED
            self._ends[(_ENDS[item.kind], outcome)] += item.count
        elif item.kind == _AGAIN and item.outcome:
            self._retries[item.outcome] += item.count

    def _of_store(self, census: Census) -> Iterator[Reading]:
        states = {str(state): count for state, count in census.states.items()}
        yield gauges("evaluations", "Evaluations, by their present state.", "state", states)
        yield gauge("queue_delayed", "Queued evaluations that wait for a time.", census.delayed)
        since = census.waiting_since
        age = 0.0 if since is None else max(0.0, self._clock.now() - since)
        yield gauge("queue_oldest_age_seconds", "How long the first in line has waited.", age)
        yield gauge("queue_paused", "1 while the queue is paused.", self._paused)
        yield gauge("slots", "How many evaluations may run at once.", self._slots)
        sandboxes = {str(state): count for state, count in census.sandboxes.items()}
        yield gauges("sandboxes", "Sandboxes of the service that live.", "state", sandboxes)
        text = "Messages of webhooks that are still to be delivered."
        yield gauge("webhook_deliveries_pending", text, census.deliveries)
        yield gauge("api_keys", "Keys in force.", census.keys)
        yield gauge("database_bytes", "The size of the database.", census.database_bytes)
        yield total("audit_entries", "Entries of the audit log.", census.audit_entries)

    def _of_log(self) -> Iterator[Reading]:
        yield totals("events", "What happened, by kind.", "kind", dict(self._kinds))
        yield Family(
            "counter",
            "evaluations_ended",
            "Evaluations that came to a final state.",
            ("state", "outcome"),
            dict(self._ends),
        )
        text = "Attempts that are tried again, by how they ended."
        yield totals("retries", text, "outcome", dict(self._retries))


def _of_scheduler(scheduler: Scheduler | None) -> Iterator[Reading]:
    yield gauge("working", "1 where this process runs the queue.", scheduler is not None)
    if scheduler is None:
        return
    yield from scheduler.meters.readings()
    yield gauge("attempts_running", "Attempts under way in this process.", scheduler.running)
    yield gauge("warm_sandboxes", "Sandboxes that are ready to be taken.", len(scheduler.pool))
    yield gauge(
        "warm_sandboxes_wanted", "How many are to be kept ready.", float(scheduler.pool.size)
    )
    held = scheduler.holding.startswith("holding")
    yield gauge("queue_held", "1 while nothing is started, though slots are free.", held)
    gates = scheduler.gates
    text = "1 while sandboxes can be made by the engine."
    open_ones = {name: float(gate.is_open) for name, gate in gates.items()}
    yield gauges("engine_open", text, "engine", open_ones)
    errors = {name: float(gate.errors) for name, gate in gates.items()}
    yield totals("engine_errors", "What an engine failed at.", "engine", errors)


def _of_host(sample: HostSample | None) -> Iterator[Reading]:
    if sample is None:
        return
    yield gauge("host_cpu_ratio", "How much of all cores is busy, from 0 to 1.", sample.cpu / 100)
    yield gauge("host_cores", "Cores of the host.", len(sample.cores))
    yield gauge("host_load1", "The load average of one minute.", sample.load[0])
    figures = asdict(sample)
    for name, text in _SIZES.items():
        yield gauge(f"host_{name}_bytes", text, figures[name])
    rates = {"received": sample.received_rate, "sent": sample.sent_rate}
    text = "Traffic of the host's own devices, in bytes a second."
    yield gauges("host_network_bytes_per_second", text, "direction", rates)


_SIZES = {
    "memory_total": "Memory of the host.",
    "memory_used": "Memory of the host that is not available.",
    "swap_total": "Swap space of the host.",
    "swap_used": "Swap space in use.",
    "disk_total": "The file system of the data directory.",
    "disk_used": "What is in use of the file system of the data directory.",
    "disk_free": "What is free for the data directory.",
}
