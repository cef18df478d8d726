"""The sandboxes that are kept for programs to run in, beside those of attempts.

They are as durable as attempts: each is recorded before it may be used, lives on when this process
stops, and is adopted by the next, which also removes what is past its deadline.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import replace
from typing import Any

from evalbox.domain.clock import Clock
from evalbox.domain.limits import DAY, Limits
from evalbox.domain.sandbox import BoxSandbox, SandboxEnd, SandboxFilter, SandboxSpec, SandboxState
from evalbox.engines.base import Engine
from evalbox.errors import Busy, EngineUnavailable, EvalboxError, SandboxNotFound, StoreError
from evalbox.scheduler.gate import Gate
from evalbox.scheduler.pool import WarmPool
from evalbox.scheduler.resident import Resident
from evalbox.store.store import Store
from evalbox.telemetry.logs import get_logger

log = get_logger(__name__)

#: Seconds between looks at deadlines, and between records of when sandboxes were used.
_LOOK, _RECORD = 0.5, 5.0
#: Seconds that the record of what has ended is kept.
_REMEMBERED = 1 * DAY
_FORGETTING = 600.0
#: Seconds after which it is worth to ask again for one that there was no room for.
_RETRY_AFTER = 5.0
_ALL = 10_000


class Residents:
    """``most`` bounds their number. ``room`` says why the host has none for such limits, if so."""

    def __init__(
        self,
        store: Store,
        pool: WarmPool,
        clock: Clock,
        *,
        most: int,
        gate: Callable[[str], Gate],
        room: Callable[[Limits], str],
        on_change: Callable[[], None],
    ) -> None:
        self._store = store
        self._pool = pool
        self._clock = clock
        self._most = most
        self._gate = gate
        self._room = room
        self._on_change = on_change
        self._all: dict[str, Resident] = {}
        # Taken in before it has a record, so that those who ask at once do not share one place.
        self._coming: list[Limits] = []
        self._tasks: set[asyncio.Task[Any]] = set()
        self._recorded: dict[str, float] = {}
        self._closed = False

    def __len__(self) -> int:
        return len(self._all) + len(self._coming)

    @property
    def limits(self) -> list[Limits]:
        """What is promised to them."""
        return [resident.limits for resident in self._all.values()] + self._coming

    def living(self, engine: Engine) -> frozenset[str]:
        """The ids of those of an engine that are to be spared."""
        return frozenset(
            one.engine_id
            for one in self._all.values()
            if one.engine_id and one.gate.engine is engine and one.end is None
        )

    async def begin(self) -> None:
        """Takes over what an earlier process left, before any gate opens."""
        for record in await self._store.sandboxes(SandboxFilter(), limit=_ALL):
            if record.state is SandboxState.STARTING:
                await self._store.sandbox_ended(
                    record.id,
                    SandboxEnd.FAILED,
                    "evalbox stopped before it was started",
                    self._clock.now(),
                )
                continue
            try:
                gate = self._gate(record.spec.engine)
            except EvalboxError as error:
                await self._store.sandbox_ended(
                    record.id, SandboxEnd.FAILED, error.message, self._clock.now()
                )
                continue
            gate.begin()
            self._keep(Resident(record, gate, self._clock))
        self.own(self._watch(), "watch-sandboxes")

    async def create(self, spec: SandboxSpec) -> BoxSandbox:
        """A sandbox that runs. ``spec`` is complete: its engine and image are named.

        Raises ``Busy``, ``Conflict``, ``ImageNotFound``, ``EngineError``.
        """
        self._check_room(spec.limits)
        gate = self._gate(spec.engine)
        self._coming.append(spec.limits)
        try:
            record = await self._store.add_sandbox(spec, self._clock.now())
            resident = self._all[record.id] = Resident(record, gate, self._clock)
        finally:
            self._coming.remove(spec.limits)
        starting = self.own(self._start(resident), f"start-{record.short_id}")
        try:
            return await asyncio.shield(starting)
        except asyncio.CancelledError:
            if not starting.done():
                # Nobody will ever learn of it.
                self.own(self._undone(starting, record.id), f"undo-{record.short_id}")
            raise

    def get(self, sandbox_id: str) -> Resident:
        """One that lives. Raises ``SandboxNotFound``."""
        resident = self._all.get(sandbox_id)
        if resident is None or resident.end is not None:
            raise SandboxNotFound(
                f"sandbox {sandbox_id} has ended", hint="list those that live: evalbox sandbox ls"
            )
        return resident

    async def extend(self, sandbox_id: str, lifetime: float | None) -> BoxSandbox:
        """Uses it, and with ``lifetime`` lets it live for so many seconds from now."""
        resident = self.get(sandbox_id)
        now = self._clock.now()
        resident.used_at = now
        deadline = resident.record.deadline if lifetime is None else now + lifetime
        record = await self._store.set_sandbox_deadline(sandbox_id, deadline, now)
        resident.record = record
        return record

    async def remove(self, sandbox_id: str, end: SandboxEnd, reason: str = "") -> None:
        """Ends it, for a reason of ours; to the last process when this returns. Idempotent."""
        resident = self._all.get(sandbox_id)
        if resident is None:
            return
        if resident.end is None:
            self._end(resident, end, reason)
        await resident.gone.wait()

    def used_at(self, record: BoxSandbox) -> BoxSandbox:
        """The record with the time of its last use, which is told to the store now and then."""
        resident = self._all.get(record.id)
        if resident is None or resident.used_at <= record.last_used_at:
            return record
        return replace(record, last_used_at=resident.used_at)

    async def close(self) -> None:
        """Lets go of them: they live on, and are adopted by the next process."""
        self._closed = True
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._record_use()
        self._all.clear()

    # --- within ---

    def _check_room(self, limits: Limits) -> None:
        if self._closed:
            raise Busy("the service is about to end", hint="ask again in a moment")
        if len(self) >= self._most:
            raise Busy(
                f"there are {self._most} sandboxes already, which is the most that this box keeps",
                hint="remove one, or raise the setting sandboxes",
                retry_after=_RETRY_AFTER,
            )
        if reason := self._room(limits):
            raise Busy(
                f"there is no room for another sandbox: {reason}",
                hint="ask for less, wait, or remove one",
                retry_after=_RETRY_AFTER,
            )

    async def _start(self, resident: Resident) -> BoxSandbox:
        try:
            engine_id = await resident.start(self._pool)
            record = await self._store.sandbox_started(
                resident.record.id, engine_id, self._clock.now()
            )
        except Exception as error:
            reason = error.message if isinstance(error, EvalboxError) else repr(error)
            # Who asked is told, and not every failure is more than a wish that cannot be met.
            if isinstance(error, EngineUnavailable):
                resident.gate.failed(error)
            if resident.end is None:
                resident.end = SandboxEnd.FAILED
                await self._finish(resident, SandboxEnd.FAILED, reason)
            else:
                # Removed while it was started.
                await resident.destroy()
            raise
        resident.ready(record)
        if resident.end is None:
            self._keep(resident)
        else:
            await resident.destroy()
        return record

    async def _undone(self, starting: asyncio.Task[BoxSandbox], sandbox_id: str) -> None:
        await asyncio.wait({starting})
        await self.remove(sandbox_id, SandboxEnd.REMOVED, "who asked for it went away")

    def _keep(self, resident: Resident) -> None:
        self._all[resident.record.id] = resident
        resident.task = self.own(self._look_after(resident), f"keep-{resident.record.short_id}")

    async def _look_after(self, resident: Resident) -> None:
        end, reason = await resident.live()
        if resident.end is None:
            resident.end = end
            await self._finish(resident, end, reason)

    def _end(self, resident: Resident, end: SandboxEnd, reason: str) -> None:
        resident.end = end
        self.own(self._finish(resident, end, reason), f"end-{resident.record.short_id}")

    async def _finish(self, resident: Resident, end: SandboxEnd, reason: str) -> None:
        """Recorded first: what a crash leaves is then removed by the next process."""
        record = resident.record
        try:
            try:
                await self._store.sandbox_ended(record.id, end, reason, self._clock.now())
            except StoreError as error:
                log.error("the end of a sandbox was not recorded", error=error.message)
            if resident.task is not None and resident.task is not asyncio.current_task():
                resident.task.cancel()
                await asyncio.gather(resident.task, return_exceptions=True)
            await resident.destroy()
        finally:
            self._all.pop(record.id, None)
            self._recorded.pop(record.id, None)
            resident.gone.set()
        log.info("sandbox ended", sandbox=record.id, end=end, reason=reason)
        self._on_change()

    async def _watch(self) -> None:
        record_at = forget_at = self._clock.monotonic()
        while True:
            try:
                await self._look()
                now = self._clock.monotonic()
                if now >= record_at:
                    record_at = now + _RECORD
                    await self._record_use()
                if now >= forget_at:
                    forget_at = now + _FORGETTING
                    await self._store.forget_sandboxes(self._clock.now() - _REMEMBERED)
            except Exception as error:
                # Nothing that goes wrong in one look may end the looking.
                log.exception("sandboxes were not looked after", error=str(error))
            await asyncio.sleep(_LOOK)

    async def _look(self) -> None:
        now = self._clock.now()
        for resident in list(self._all.values()):
            if resident.end is not None or resident.record.state is not SandboxState.RUNNING:
                continue
            end = resident.due(now)
            if end is None and await resident.over_its_disk():
                end = SandboxEnd.DISK_LIMIT
            if end is not None and resident.end is None:
                self._end(resident, end, "")

    async def _record_use(self) -> None:
        changed = {
            one.record.id: one.used_at
            for one in self._all.values()
            if one.used_at > self._recorded.get(one.record.id, one.record.last_used_at)
        }
        if changed:
            await self._store.touch_sandboxes(changed)
            self._recorded |= changed

    def own(self, work: Coroutine[Any, Any, Any], name: str) -> asyncio.Task[Any]:
        """A task that ends with this."""
        task = asyncio.create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        error = None if task.cancelled() else task.exception()
        if error is not None and not isinstance(error, EvalboxError):
            log.error("evalbox itself failed", error=repr(error), task=task.get_name())
