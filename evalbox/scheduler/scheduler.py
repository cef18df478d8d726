"""The scheduler: fills the slots from the queue, for as long as it runs.

One loop claims; each attempt is a task of its own that the scheduler owns. It wakes when a slot
falls free, when the store changes (whoever changed it, this process or another), when something
delayed falls due, and now and then while the host is short of something.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Sequence

from evalbox.config.settings import Settings
from evalbox.domain.attempt import Attempt, Usage, Verdict
from evalbox.domain.clock import Clock
from evalbox.domain.evaluation import Evaluation
from evalbox.domain.outcome import Outcome
from evalbox.domain.state import State
from evalbox.engines.base import Engine, Profile
from evalbox.errors import EvalboxError, StoreError
from evalbox.monitor.sandboxes import SandboxSampler
from evalbox.scheduler.admission import Budget, HostState, admit
from evalbox.scheduler.attempt import AttemptRun, Surroundings
from evalbox.scheduler.gate import Gate
from evalbox.scheduler.pool import WarmPool
from evalbox.store.store import Store
from evalbox.telemetry.logs import bound, get_logger

log = get_logger(__name__)

#: Seconds between looks at what users have set and asked for, at most.
_HOUSEKEEPING = 0.1
#: Seconds between looks at the host while it is short of something.
_RECHECK = 1.0
#: Seconds between measurements of a sandbox (a disk fills quickly), and between those kept.
_SAMPLING, _KEPT_SAMPLING = 0.25, 1.0
_LARGEST_CLAIM = 64


class Scheduler:
    """``warm`` is the size of the warm pool; ``host`` measures the host; both engine factory and
    host are injected."""

    def __init__(
        self,
        store: Store,
        settings: Settings,
        *,
        make_engine: Callable[[str], Engine],
        host: Callable[[], HostState],
        clock: Clock,
        warm: int = 0,
    ) -> None:
        self._store = store
        self._settings = settings
        self._make_engine = make_engine
        self._host = host
        self._clock = clock
        self.pool = WarmPool(store.box_id, warm)
        self._sampler = SandboxSampler(self._sampled, clock=clock, interval=_SAMPLING)
        self._samples: list[tuple[str, int, float, Usage]] = []
        self._sampled_at: dict[str, float] = {}
        self._around = Surroundings(store, self.pool, self._sampler, clock)
        self._gates: dict[str, Gate] = {}
        self._runs: dict[str, AttemptRun] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._owed: set[str] = set()
        self._wake = asyncio.Event()
        self._emptied = asyncio.Event()
        self._loop_tasks: list[asyncio.Task[None]] = []
        self._stopping = False
        self._slots = settings.slots
        self._next_housekeeping = 0.0
        self.holding = ""
        self.budget: Budget | None = None
        self._told = ""

    @property
    def running(self) -> int:
        return len(self._runs)

    @property
    def slots(self) -> int:
        return self._slots

    def run_of(self, evaluation_id: str) -> AttemptRun | None:
        """The attempt under way in this process, if there is one."""
        return self._runs.get(evaluation_id)

    def wake(self) -> None:
        self._wake.set()

    async def start(self) -> None:
        """Takes over what an earlier process left, then begins to claim."""
        for evaluation, attempt in await self._store.active():
            if attempt.sandbox_id:
                self._owed.add(attempt.sandbox_id)
            self._launch(evaluation, adopted=attempt)
        self._gate(self._settings.engine).begin()
        await self._sampler.__aenter__()
        self._loop_tasks = [
            asyncio.create_task(self._claim_for_ever(), name="claim"),
            asyncio.create_task(self._watch_store(), name="watch-store"),
            asyncio.create_task(self._prewarm(), name="prewarm"),
        ]

    async def stop(self, *, drain: float | None = None) -> None:
        """Claims no more and waits up to ``drain`` seconds (None: as long as it takes).

        Attempts still under way then are let go: their sandboxes live on and are adopted by the
        next process.
        """
        self._stopping = True
        await _cancelled(self._loop_tasks)
        if self._tasks:
            await asyncio.wait(self._tasks.values(), timeout=drain)
        await _cancelled(list(self._tasks.values()))
        await self.pool.close()
        await self._sampler.__aexit__()
        for gate in self._gates.values():
            await gate.close()

    def cancel(self, evaluation_id: str) -> None:
        """Stops the attempt under way; the store already knows of the wish."""
        run = self._runs.get(evaluation_id)
        if run is not None:
            run.stop(Outcome.CANCELLED)

    async def _claim_for_ever(self) -> None:
        while True:
            self._wake.clear()
            try:
                pause = await self._turn()
            except StoreError as error:
                log.error("the store failed", error=error.message)
                self.holding = f"holding: {error.message}"
                pause = _RECHECK
            try:
                async with asyncio.timeout(pause):
                    await self._wake.wait()
            except TimeoutError:
                continue

    async def _turn(self) -> float | None:
        """Claims what fits; gives the seconds after which to look again unasked."""
        await self._housekeeping()
        self.budget = budget = self._budget()
        await self._tell_holding(budget)
        if budget.slots > 0:
            claimed = await self._store.claim(
                min(budget.slots, _LARGEST_CLAIM),
                self._clock.now(),
                free_cpus=budget.cpus,
                free_memory=budget.memory,
                held_engines=self.held_engines(),
            )
            for evaluation in claimed:
                self._launch(evaluation)
            if claimed:
                return 0.0 if len(claimed) == _LARGEST_CLAIM else _RECHECK
        pauses = [self._next_housekeeping - self._clock.monotonic()] if self._runs else []
        if self.holding and not self._runs:
            pauses.append(_RECHECK)
        due = await self._store.next_due(self._clock.now())
        if due is not None:
            pauses.append(due - self._clock.now())
        return max(0.0, min(pauses)) if pauses else None

    async def _tell_holding(self, budget: Budget) -> None:
        """Other processes are told what holds the queue, but for slots that are merely taken."""
        self.holding = budget.holding
        told = budget.holding if budget.holding.startswith("holding") else ""
        if told != self._told:
            self._told = told
            await self._store.set_holding(told)
            kind = "queue.holding" if told else "queue.released"
            await self._store.record(kind, self._clock.now(), {"reason": told})

    def held_engines(self) -> frozenset[str]:
        """Those whose gate is shut."""
        return frozenset(name for name, gate in self._gates.items() if not gate.is_open)

    def _budget(self) -> Budget:
        limits = [run.evaluation.spec.limits for run in self._runs.values()]
        budget = admit(self._host(), limits, self._slots, self._settings)
        if not budget.holding:
            shut = [gate for gate in self._gates.values() if not gate.is_open]
            if shut:
                held = "; ".join(f"{gate.engine.name}: {gate.reason}" for gate in shut)
                return Budget(budget.slots, budget.cpus, budget.memory, f"holding: {held}")
        return budget

    async def _housekeeping(self) -> None:
        """Heeds what users have set and asked for, at most every tenth of a second."""
        now = self._clock.monotonic()
        if now < self._next_housekeeping:
            return
        self._next_housekeeping = now + _HOUSEKEEPING
        state = await self._store.queue_state()
        self._slots = state.slots or self._settings.slots
        if self._samples:
            samples, self._samples = self._samples, []
            await self._store.add_samples(samples)
        if self._runs:
            for evaluation_id in await self._store.cancel_requests():
                self.cancel(evaluation_id)

    async def _watch_store(self) -> None:
        seq = await self._store.last_seq()
        while True:
            seq = await self._store.wait_for_change(seq, 3600.0)
            self._wake.set()

    def _gate(self, engine_name: str) -> Gate:
        gate = self._gates.get(engine_name)
        if gate is None:
            gate = Gate(
                self._make_engine(engine_name), tidy=self._tidy, on_change=self._gate_changed
            )
            self._gates[engine_name] = gate
        return gate

    def _gate_changed(self, gate: Gate) -> None:
        log.warning("engine", engine=gate.engine.name, open=gate.is_open, reason=gate.reason)
        if gate.is_open:
            self.pool.refill()
        self._wake.set()

    async def _prewarm(self) -> None:
        """Readies sandboxes for an evaluation that asks for nothing special."""
        gate = self._gate(self._settings.engine)
        try:
            await gate.pass_through()
            image = await gate.engine.image(self._settings.image)
        except EvalboxError as error:
            log.info("nothing warmed beforehand", error=error.message)
            return
        self.pool.prewarm(gate, Profile(image=image.id))

    async def _tidy(self, engine: Engine) -> None:
        """Before a gate opens: removes every sandbox of ours that no live attempt owns."""
        self.pool.forget(engine)
        living = {run.sandbox_id for run in self._runs.values() if run.sandbox_id}
        removed = await engine.reap(self._store.box_id, frozenset(living | self._owed))
        if removed:
            log.warning("removed what was left behind", engine=engine.name, sandboxes=removed)

    def _launch(self, evaluation: Evaluation, *, adopted: Attempt | None = None) -> None:
        try:
            gate = self._gate(evaluation.spec.engine)
        except EvalboxError as error:
            # Queued by an evalbox that knew an engine which this one does not.
            self._tasks[evaluation.id] = asyncio.create_task(self._refuse(evaluation, error))
            return
        run = AttemptRun(self._around, gate, evaluation, adopted=adopted)
        self._runs[evaluation.id] = run
        task = asyncio.create_task(self._carry(run), name=f"attempt-{evaluation.short_id}")
        self._tasks[evaluation.id] = task

    async def _refuse(self, evaluation: Evaluation, error: EvalboxError) -> None:
        try:
            await self._store.finish(
                evaluation.id,
                evaluation.attempts,
                self._clock.now(),
                verdict=Verdict(Outcome.INFRA_ERROR, reason=error.message),
                usage=Usage(),
                state=State.DEAD,
                not_before=None,
                output_bytes=0,
                truncated=False,
                failures=evaluation.failures,
                infra_failures=evaluation.infra_failures + 1,
            )
        finally:
            del self._tasks[evaluation.id]

    async def _carry(self, run: AttemptRun) -> None:
        evaluation = run.evaluation
        try:
            with bound(evaluation=evaluation.id, attempt=run.number):
                await run.run()
        finally:
            del self._runs[evaluation.id]
            del self._tasks[evaluation.id]
            self._sampled_at.pop(evaluation.id, None)
            self._wake.set()

    def _sampled(self, evaluation_id: str, attempt: int, usage: Usage) -> None:
        """Shows the attempt every measurement, and puts one a second aside for the store."""
        run = self._runs.get(evaluation_id)
        if run is None or run.number != attempt:
            return
        run.sampled(usage)
        now = self._clock.monotonic()
        if now - self._sampled_at.get(evaluation_id, -math.inf) >= _KEPT_SAMPLING:
            self._sampled_at[evaluation_id] = now
            self._samples.append((evaluation_id, attempt, self._clock.now(), usage))


async def _cancelled(tasks: Sequence[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
