"""The scheduler: fills the slots from the queue, for as long as it runs.

One loop claims; each attempt is a task of its own that the scheduler owns. It wakes when a slot
falls free, when the store changes (whoever changed it, this process or another), when something
delayed falls due, and now and then while the host is short of something.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Coroutine, Iterable, Mapping
from dataclasses import replace
from operator import attrgetter
from typing import Any

from evalbox.config.settings import Settings
from evalbox.domain.activity import Activity
from evalbox.domain.attempt import Attempt, Usage, Verdict
from evalbox.domain.clock import Clock
from evalbox.domain.evaluation import Evaluation
from evalbox.domain.limits import Limits
from evalbox.domain.outcome import Outcome
from evalbox.domain.state import State
from evalbox.engines.base import Engine, Profile
from evalbox.errors import EvalboxError, StoreError
from evalbox.monitor.sandboxes import SandboxSampler
from evalbox.scheduler.account import AttemptMeters
from evalbox.scheduler.admission import Budget, HostState, admit, no_room
from evalbox.scheduler.attempt import AttemptRun
from evalbox.scheduler.building import Builds
from evalbox.scheduler.gate import Gate
from evalbox.scheduler.pool import WarmPool
from evalbox.scheduler.recording import insist
from evalbox.scheduler.residents import Residents
from evalbox.scheduler.supplies import Supplies
from evalbox.scheduler.surroundings import Surroundings
from evalbox.store.store import Store
from evalbox.telemetry.logs import bind, get_logger
from evalbox.telemetry.traces import trace_id

log = get_logger(__name__)

#: Seconds between looks at what users have set and asked for, at most.
_HOUSEKEEPING = 0.1
#: Seconds between looks at the host while it is short of something.
_RECHECK = 1.0
#: Seconds between measurements of a sandbox (a disk fills quickly), and between those kept.
_SAMPLING, _KEPT_SAMPLING = 0.25, 1.0
_LARGEST_CLAIM = 64
#: Seconds that the first in line is passed over for want of room before room is kept for it.
_PASSED_OVER = 30.0


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
        self._sampled_at: dict[tuple[str, int], float] = {}
        #: Set once an attempt has begun, or was taken over, in this process.
        self.begun = asyncio.Event()
        self.meters = AttemptMeters()
        self._gates: dict[str, Gate] = {}
        self._wake = asyncio.Event()
        self.builds = Builds(
            store, clock, gate=self._gate, on_change=self._wake.set, supplies=Supplies.of(settings)
        )
        self._around = Surroundings(
            store, self.pool, self._sampler, clock, self.meters, self.builds
        )
        # An attempt may still be tidying up when the next one of its evaluation begins.
        self._runs: dict[tuple[str, int], AttemptRun] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._loop_tasks: list[asyncio.Task[None]] = []
        self._slots = settings.slots
        self._next_housekeeping = 0.0
        self._passed_over: tuple[str | None, float] = None, 0.0
        self._next_look = 0.0
        self.holding = ""
        self.budget: Budget | None = None
        self._told = ""
        self.residents = Residents(
            store,
            self.pool,
            clock,
            most=settings.sandboxes,
            gate=self._gate,
            room=self._no_room,
            on_change=self._wake.set,
        )

    @property
    def running(self) -> int:
        return len(self._runs)

    @property
    def slots(self) -> int:
        return self._slots

    @property
    def gates(self) -> Mapping[str, Gate]:
        """By the names of the engines that have been asked for."""
        return self._gates

    def run_of(self, evaluation_id: str) -> AttemptRun | None:
        """The attempt under way in this process, if there is one."""
        return max(self._runs_of(evaluation_id), key=lambda run: run.number, default=None)

    def _runs_of(self, evaluation_id: str) -> list[AttemptRun]:
        return [run for run in self._runs.values() if run.evaluation.id == evaluation_id]

    def activity(self) -> list[Activity]:
        """What the attempts under way in this process are at, the oldest evaluation first."""
        found = [one for run in self._runs.values() if (one := run.activity()) is not None]
        found.sort(key=attrgetter("evaluation_id"))
        return found

    async def start(self) -> None:
        """Takes over what an earlier process left, then begins to claim."""
        left = await self._store.active()
        gate = self._gate(self._settings.engine)
        # All are known before any gate opens: its tidying spares what is still to be adopted.
        for evaluation, attempt in left:
            self._launch(evaluation, adopted=attempt)
        await self.residents.begin()
        await self.builds.begin()
        gate.begin()
        await self._sampler.__aenter__()
        self._loop_tasks = [
            asyncio.create_task(self._claim_for_ever(), name="claim"),
            asyncio.create_task(self._watch_store(), name="watch-store"),
            asyncio.create_task(self._prewarm(), name="prewarm"),
        ]

    async def stop(self, *, drain: float | None = None) -> None:
        """Claims no more and waits up to ``drain`` seconds (None: as long as it takes).

        Attempts still under way then, or when this is cancelled, are let go: their sandboxes live
        on and are adopted by the next process.
        """
        await _cancelled(self._loop_tasks)
        self._loop_tasks = [asyncio.create_task(self._heed_for_ever(), name="heed")]
        try:
            if self._tasks:
                await asyncio.wait(self._tasks, timeout=drain)
        finally:
            await _cancelled([*self._loop_tasks, *self._tasks])
            await self.builds.close()
            await self.residents.close()
            await self.pool.close()
            await self._sampler.__aexit__()
            for gate in self._gates.values():
                await gate.close()

    def cancel(self, evaluation_id: str) -> None:
        """Stops the attempt under way; the store already knows of the wish."""
        for run in self._runs_of(evaluation_id):
            run.stop(Outcome.CANCELLED)

    async def _claim_for_ever(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            self._wake.clear()
            pause = await self._guarded(self._turn())
            alarm = None if pause is None else loop.call_later(pause, self._wake.set)
            await self._wake.wait()
            if alarm is not None:
                alarm.cancel()

    async def _heed_for_ever(self) -> None:
        """While what runs is let end, it can still be cancelled."""
        while True:
            await self._guarded(self._housekeeping())
            await asyncio.sleep(_HOUSEKEEPING)

    async def _guarded(self, step: Coroutine[Any, Any, float | None]) -> float | None:
        """Nothing that goes wrong in a step may end the loop that it is a step of."""
        try:
            return await step
        except StoreError as error:
            log.error("the store failed", error=error.message)
            self.holding = f"holding: {error.message}"
        except Exception as error:
            log.exception("evalbox itself failed")
            self.holding = f"holding: evalbox itself failed: {error!r}"
        return _RECHECK

    async def _turn(self) -> float | None:
        """Claims what fits; gives the seconds after which to look again unasked."""
        await self._housekeeping()
        self.budget = budget = self._budget()
        if budget.slots > 0:
            limit = min(budget.slots, _LARGEST_CLAIM)
            keeps_room = await self._keeps_room(budget)
            claimed = await self._store.claim(
                limit,
                self._clock.now(),
                free_cpus=budget.cpus,
                free_memory=budget.memory,
                held_engines=self.held_engines(),
                in_order=keeps_room,
            )
            for evaluation in claimed:
                self._launch(evaluation)
                if evaluation.id == self._passed_over[0]:
                    self._passed_over = None, 0.0
            if claimed:
                await self._tell_holding(budget)
                return 0.0 if len(claimed) == limit else _RECHECK
            if keeps_room:
                budget = replace(budget, holding="holding: room is kept for the first in line")
        await self._tell_holding(budget)
        pauses = [self._next_housekeeping - self._clock.monotonic()] if self._runs else []
        if self.holding and not self._runs:
            pauses.append(_RECHECK)
        due = await self._store.next_due(self._clock.now())
        if due is not None:
            pauses.append(due - self._clock.now())
        return max(0.0, min(pauses)) if pauses else None

    async def _keeps_room(self, budget: Budget) -> bool:
        """Whether nothing more may pass over the first in line.

        A large evaluation would otherwise wait for as long as smaller ones keep coming. While
        room is kept for it, what is of higher priority still goes first.
        """
        now = self._clock.monotonic()
        if now >= self._next_look:
            self._next_look = now + _RECHECK
            passed = await self._store.passed_over(
                free_cpus=budget.cpus,
                free_memory=budget.memory,
                held_engines=self.held_engines(),
            )
            if passed is None or passed != self._passed_over[0]:
                self._passed_over = passed, now
        passed, since = self._passed_over
        return passed is not None and now - since >= _PASSED_OVER

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

    def shut_engines(self) -> dict[str, str]:
        """Those whose gate is shut, each with the reason."""
        return {name: gate.reason for name, gate in self._gates.items() if not gate.is_open}

    def _budget(self) -> Budget:
        limits = [run.evaluation.spec.limits for run in self._runs.values()]
        beside = [*self.residents.limits, *self.builds.limits]
        budget = admit(self._host(), limits, self._slots, self._settings, residents=beside)
        if not budget.holding:
            shut = [gate for gate in self._gates.values() if not gate.is_open]
            if shut:
                held = "; ".join(f"{gate.engine.name}: {gate.reason}" for gate in shut)
                return Budget(budget.slots, budget.cpus, budget.memory, f"holding: {held}")
        return budget

    def _no_room(self, wanted: Limits) -> str:
        running = [run.evaluation.spec.limits for run in self._runs.values()]
        promised = [*running, *self.residents.limits, *self.builds.limits]
        return no_room(self._host(), promised, wanted, self._settings)

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
        seq = 0
        while True:
            try:
                seq = await self._store.wait_for_change(seq, 3600.0)
            except StoreError as error:
                log.error("the store is not watched", error=error.message)
                await asyncio.sleep(_RECHECK)
            self._wake.set()

    def _gate(self, engine_name: str) -> Gate:
        gate = self._gates.get(engine_name)
        if gate is None:
            gate = Gate(
                self._make_engine(engine_name), tidy=self._tidy, on_change=self._gate_changed
            )
            self._gates[engine_name] = gate
            self.meters.expect(engine_name)
        return gate

    def _gate_changed(self, gate: Gate) -> None:
        if gate.is_open:
            log.info("engine open", engine=gate.engine.name)
            self.pool.refill()
        else:
            log.warning("engine shut", engine=gate.engine.name, reason=gate.reason)
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
        living = frozenset(run.sandbox_id for run in self._runs.values() if run.sandbox_id)
        living |= self.residents.living(engine) | self.builds.living(engine)
        removed = await engine.reap(self._store.box_id, living)
        if removed:
            log.warning("removed what was left behind", engine=engine.name, sandboxes=removed)

    def _launch(self, evaluation: Evaluation, *, adopted: Attempt | None = None) -> None:
        try:
            gate = self._gate(evaluation.spec.engine)
        except Exception as error:
            # Queued by an evalbox that knew an engine which this one does not.
            carried = self._refuse(evaluation, error)
        else:
            run = AttemptRun(self._around, gate, evaluation, adopted=adopted)
            self._runs[run.key] = run
            self.begun.set()
            carried = self._carry(run)
        task = asyncio.create_task(carried, name=f"attempt-{evaluation.short_id}")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _refuse(self, evaluation: Evaluation, error: Exception) -> None:
        reason = error.message if isinstance(error, EvalboxError) else repr(error)
        await insist(
            lambda: self._store.finish(
                evaluation.id,
                evaluation.attempts,
                self._clock.now(),
                verdict=Verdict(Outcome.INFRA_ERROR, reason=reason),
                usage=Usage(),
                state=State.DEAD,
                failures=evaluation.failures,
                infra_failures=evaluation.infra_failures + 1,
            )
        )

    async def _carry(self, run: AttemptRun) -> None:
        try:
            bind(evaluation=run.evaluation.id, attempt=run.number, **_trace_of(run.evaluation))
            with run.account.open():
                await run.run()
        except Exception:
            log.exception("evalbox itself failed", evaluation=run.evaluation.id)
        finally:
            del self._runs[run.key]
            self._sampled_at.pop(run.key, None)
            self._wake.set()

    def _sampled(self, evaluation_id: str, attempt: int, usage: Usage) -> None:
        """Shows the attempt every measurement, and puts one a second aside for the store."""
        run = self._runs.get((evaluation_id, attempt))
        if run is None:
            return
        run.sampled(usage)
        now = self._clock.monotonic()
        if now - self._sampled_at.get(run.key, -math.inf) >= _KEPT_SAMPLING:
            self._sampled_at[run.key] = now
            self._samples.append((evaluation_id, attempt, self._clock.now(), usage))


def _trace_of(evaluation: Evaluation) -> dict[str, str]:
    """What finds the lines of a log that belong to a trace."""
    found = trace_id(evaluation.spec.trace)
    return {"trace": found} if found else {}


async def _cancelled(tasks: Iterable[asyncio.Task[None]]) -> None:
    tasks = tuple(tasks)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
