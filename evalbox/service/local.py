"""A Box over a data directory of this machine.

Any number of processes may open the same directory. The one that holds its lock runs the queue;
the others talk to the store, and those that were opened to work stand by to take over.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from evalbox.config.settings import Settings
from evalbox.domain.attempt import Attempt, Usage
from evalbox.domain.batch import Batch
from evalbox.domain.clock import Clock, SystemClock
from evalbox.domain.evaluation import Evaluation, EvaluationSpec
from evalbox.domain.event import Event
from evalbox.domain.quantity import format_duration
from evalbox.domain.records import ArtifactRecord, EvaluationFilter, OutputPiece, QueueStatus
from evalbox.domain.state import ACTIVE, FINAL
from evalbox.engines.base import Engine
from evalbox.engines.registry import make_engine
from evalbox.errors import ArtifactNotFound, EngineError, ImageNotFound, InvalidInput
from evalbox.scheduler.scheduler import Scheduler
from evalbox.service.endings import Endings
from evalbox.service.worker import Worker
from evalbox.store.outputs import read_output
from evalbox.store.store import Store

#: Seconds between looks at an output file that another process may be writing, and at one that
#: this process tells of.
_OUTPUT_POLL, _OUTPUT_LOOK = 0.05, 1.0
_OUTPUT_PIECE = 256 * 1024
_EVENTS_PAGE = 500


class LocalBox:
    """Implements ``Box``. Made by ``open``."""

    def __init__(self, store: Store, settings: Settings, clock: Clock) -> None:
        self._store = store
        self._settings = settings
        self._clock = clock
        self._endings = Endings(store)
        self._engines: dict[str, Engine] = {}
        self._made: list[Engine] = []
        self._worker: Worker | None = None

    @classmethod
    async def open(
        cls,
        settings: Settings,
        *,
        work: bool,
        warm: int = 0,
        on_note: Callable[[str], None] | None = None,
        clock: Clock | None = None,
        engines: Sequence[Engine] = (),
    ) -> Self:
        """Opens the data directory, making it where it is missing.

        With ``work`` this process runs the queue as soon as no other does, with ``warm`` sandboxes
        kept ready. ``on_note`` is told in a line when that changes. ``engines`` stand in for those
        that would be made by name, and stay the caller's to close.
        """
        clock = clock or SystemClock()
        store = await Store.open(settings.data_dir, clock=clock)
        box = cls(store, settings, clock)
        box._engines = {engine.name: engine for engine in engines}
        if work:
            box._worker = Worker(
                store,
                settings,
                make_engine=box._engine,
                clock=clock,
                warm=warm,
                on_note=on_note or (lambda note: None),
            )
            try:
                await box._worker.start()
            except BaseException:
                await box.close(drain=0)
                raise
        return box

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()

    async def close(self, *, drain: float | None = None) -> None:
        """Stops working, after at most ``drain`` seconds for what runs here (None: all it takes).

        What still runs then, or when this is cancelled, lives on and is adopted by the next
        process.
        """
        try:
            if self._worker is not None:
                await self._worker.stop(drain=drain)
        finally:
            await self._endings.close()
            for engine in self._made:
                await engine.close()
            await self._store.close()

    @property
    def _scheduler(self) -> Scheduler | None:
        return self._worker.scheduler if self._worker else None

    @property
    def running_here(self) -> int:
        """How many attempts this process supervises."""
        scheduler = self._scheduler
        return scheduler.running if scheduler else 0

    def _engine(self, name: str) -> Engine:
        if name not in self._engines:
            engine = make_engine(
                name,
                docker_host=self._settings.docker_host,
                state_dir=self._settings.data_dir / "process",
            )
            self._made.append(engine)
            self._engines[name] = engine
        return self._engines[name]

    async def upload(self, source: Path | bytes) -> tuple[str, int]:
        if isinstance(source, bytes):
            return await self._store.put_blob(source)
        return await self._store.put_blob_file(source)

    async def submit(self, specs: Sequence[EvaluationSpec]) -> Sequence[Evaluation]:
        for engine_name, image in {(spec.engine, spec.image) for spec in specs}:
            await self._check_image(engine_name, image)
        return await self._store.submit(specs, self._clock.now())

    async def _check_image(self, engine_name: str, image: str) -> None:
        """An image that is not there is refused now; an engine that is down is waited for."""
        engine = self._engine(engine_name)
        try:
            await engine.image(image)
        except ImageNotFound:
            raise
        except EngineError:
            return

    async def resolve(self, reference: str) -> str:
        return await self._store.resolve(reference)

    async def get(self, evaluation_id: str) -> Evaluation:
        return await self._store.get(evaluation_id)

    async def list(
        self, query: EvaluationFilter, *, limit: int = 100, after: str | None = None
    ) -> Sequence[Evaluation]:
        return await self._store.list(query, limit=limit, after=after)

    async def attempts(self, evaluation_id: str) -> Sequence[Attempt]:
        return await self._store.attempts(evaluation_id)

    async def samples(self, evaluation_id: str, attempt: int) -> Sequence[tuple[float, Usage]]:
        return await self._store.samples(evaluation_id, attempt)

    async def output(
        self,
        evaluation_id: str,
        *,
        attempt: int | None = None,
        offset: int = 0,
        follow: bool = False,
    ) -> AsyncIterator[OutputPiece]:
        number = attempt or max(1, (await self._store.get(evaluation_id)).attempts)
        while True:
            # Both before reading: what an ended attempt printed is all there to be read, and what
            # comes after the reading is waited for.
            grew = self._growth(evaluation_id, number)
            evaluation = await self._store.get(evaluation_id)
            over = not follow or evaluation.state in FINAL or evaluation.attempts > number
            async for piece in self._pieces(evaluation_id, number, offset):
                offset = piece.offset + len(piece.data)
                yield piece
            if not over:
                await _either(grew, _OUTPUT_LOOK if grew else _OUTPUT_POLL)
            elif follow and attempt is None and evaluation.attempts > number:
                number, offset = number + 1, 0
            else:
                return

    def _growth(self, evaluation_id: str, number: int) -> asyncio.Event | None:
        """What is set when an attempt's output grows or ends, where this process keeps it."""
        run = self._worker.run_of(evaluation_id) if self._worker else None
        return run.transcript.grew if run is not None and run.number == number else None

    async def _pieces(
        self, evaluation_id: str, number: int, offset: int
    ) -> AsyncIterator[OutputPiece]:
        directory = self._store.attempt_dir(evaluation_id, number)
        while True:
            pieces = await asyncio.to_thread(read_output, directory, offset, _OUTPUT_PIECE)
            if not pieces:
                return
            for piece in pieces:
                yield piece
            offset = pieces[-1].offset + len(pieces[-1].data)

    async def wait(self, evaluation_id: str) -> Evaluation:
        return await self._endings.of(evaluation_id)

    async def cancel(self, ids: Sequence[str]) -> Sequence[Evaluation]:
        cancelled = await self._store.request_cancel(ids, self._clock.now())
        scheduler = self._scheduler
        if scheduler is not None:
            for evaluation_id in ids:
                scheduler.cancel(evaluation_id)
        return cancelled

    async def retry(self, ids: Sequence[str]) -> Sequence[Evaluation]:
        return await self._store.retry(ids, self._clock.now())

    async def remove(self, ids: Sequence[str]) -> None:
        await self._store.remove(ids)

    async def explain(self, evaluation_id: str) -> str:
        evaluation = await self._store.get(evaluation_id)
        if evaluation.state in FINAL:
            reason = f": {evaluation.reason}" if evaluation.reason else ""
            return f"{evaluation.state} ({evaluation.outcome}){reason}"
        if evaluation.state in ACTIVE:
            since = self._clock.now() - (evaluation.started_at or evaluation.updated_at)
            return f"{evaluation.state} for {format_duration(max(0.0, since))}"
        return await self._why_waiting(evaluation)

    async def _why_waiting(self, evaluation: Evaluation) -> str:
        status = await self.queue()
        if not status.working:
            return "queued: no process runs the queue (start one with: evalbox --serve)"
        budget = scheduler.budget if (scheduler := self._scheduler) else None
        waiting = await self._store.why_waiting(
            evaluation.id,
            self._clock.now(),
            free_cpus=budget.cpus if budget else math.inf,
            free_memory=budget.memory if budget else 1 << 62,
            held_engines=scheduler.held_engines() if scheduler else frozenset(),
        )
        if waiting.cause == "turn" and status.holding:
            return f"queued, {waiting.ahead} ahead; {status.holding}"
        if waiting.cause == "not_before" and evaluation.not_before is not None:
            due = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(evaluation.not_before))
            return f"queued until {due}"
        return f"queued, {waiting.ahead} ahead: {waiting.detail}"

    async def artifacts(
        self, evaluation_id: str, *, attempt: int | None = None
    ) -> Sequence[ArtifactRecord]:
        return await self._store.artifacts(evaluation_id, attempt)

    async def read_artifact(
        self, evaluation_id: str, path: str, *, attempt: int | None = None
    ) -> AsyncIterator[bytes]:
        number = attempt or max(1, (await self._store.get(evaluation_id)).attempts)
        kept = {
            record.path
            for record in await self.artifacts(evaluation_id, attempt=number)
            if record.kind == "file"
        }
        if path not in kept:
            raise ArtifactNotFound(
                f"evaluation {evaluation_id} kept no artifact {path!r}",
                hint="list them with: evalbox artifacts ID",
            )
        file = await asyncio.to_thread(
            (self._store.artifact_dir(evaluation_id, number) / path).open, "rb"
        )
        try:
            while data := await asyncio.to_thread(file.read, _OUTPUT_PIECE):
                yield data
        finally:
            file.close()

    async def batches(self) -> Sequence[Batch]:
        return await self._store.batches()

    async def batch(self, name: str) -> Batch:
        return await self._store.batch(name)

    async def set_batch_concurrency(self, name: str, concurrency: int | None) -> Batch:
        if concurrency is not None and concurrency < 1:
            raise InvalidInput(
                f"batch {name}: a concurrency of {concurrency} would run nothing",
                hint="give at least 1, or pause the queue",
                field="concurrency",
            )
        await self._store.set_batch_concurrency(name, concurrency, self._clock.now())
        return await self._store.batch(name)

    async def queue(self) -> QueueStatus:
        state = await self._store.queue_state()
        scheduler = self._scheduler
        holder = self._store.lock.holder()
        return QueueStatus(
            paused=state.paused,
            slots=state.slots or self._settings.slots,
            states=await self._store.count_by_state(),
            warm=len(scheduler.pool) if scheduler else 0,
            holding=scheduler.holding if scheduler else await self._store.holding(),
            working=holder is not None,
            here=scheduler is not None,
        )

    async def pause(self) -> None:
        await self._store.set_paused(True, self._clock.now())

    async def resume(self) -> None:
        await self._store.set_paused(False, self._clock.now())

    async def set_slots(self, slots: int) -> None:
        if not 1 <= slots <= 1024:
            raise InvalidInput(
                f"slots: {slots} is out of range", hint="give between 1 and 1024", field="slots"
            )
        await self._store.set_slots(slots, self._clock.now())

    async def events(
        self, *, after: int = 0, follow: bool = False, evaluation_id: str | None = None
    ) -> AsyncIterator[Event]:
        while True:
            # Before reading: an event of another evaluation ends the waiting too, but once only.
            newest = await self._store.last_seq() if follow else 0
            page = await self._store.events(after, limit=_EVENTS_PAGE, evaluation_id=evaluation_id)
            for event in page:
                after = event.seq
                yield event
            if len(page) == _EVENTS_PAGE:
                continue
            if not follow:
                return
            await self._store.wait_for_change(max(after, newest), 60.0)

    async def backup(self, target: Path) -> None:
        await self._store.backup(target)


async def _either(event: asyncio.Event | None, seconds: float) -> None:
    """Returns when the event is set, and after so many seconds at the latest."""
    if event is None:
        await asyncio.sleep(seconds)
        return
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await event.wait()
