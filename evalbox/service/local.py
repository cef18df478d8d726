"""A Box over a data directory of this machine.

Any number of processes may open the same directory. The one that holds its lock runs the queue;
the others talk to the store, and those that were opened to work stand by to take over.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from evalbox import __version__
from evalbox.config.settings import Settings
from evalbox.domain.activity import Activity
from evalbox.domain.admissible import check_specs
from evalbox.domain.attempt import Attempt, Usage
from evalbox.domain.batch import Batch
from evalbox.domain.check import Check
from evalbox.domain.clock import Clock, SystemClock
from evalbox.domain.evaluation import Evaluation, EvaluationSpec, Priority
from evalbox.domain.event import Event
from evalbox.domain.grading import MAX_BY, graded
from evalbox.domain.host import HostReport, HostSample
from evalbox.domain.quantity import format_duration
from evalbox.domain.records import ArtifactRecord, EvaluationFilter, OutputPiece, QueueStatus
from evalbox.domain.reduction import REDUCES, BatchPlan
from evalbox.domain.report import TaskReport
from evalbox.domain.sandbox import ExecSpec
from evalbox.domain.state import ACTIVE, FINAL
from evalbox.engines.base import Engine
from evalbox.engines.docker import DockerEngine
from evalbox.engines.fake import FakeEngine
from evalbox.engines.registry import make_engine
from evalbox.errors import (
    ArtifactNotFound,
    EngineError,
    FileMissing,
    ImageNotFound,
    InvalidInput,
)
from evalbox.scheduler.building import Builds
from evalbox.scheduler.residents import Residents
from evalbox.scheduler.scheduler import Scheduler
from evalbox.service.audit import LocalAudit, audited, of_many
from evalbox.service.authentication import Authentication
from evalbox.service.builders import Builders
from evalbox.service.endings import Endings
from evalbox.service.execution import LocalExec
from evalbox.service.images import EngineImages, Images
from evalbox.service.keys import LocalKeys
from evalbox.service.local_images import LocalImages
from evalbox.service.local_webhooks import LocalWebhooks
from evalbox.service.metrics import Metrics
from evalbox.service.reports import read_report
from evalbox.service.sandboxes import LocalSandboxes
from evalbox.service.shells import open_shell
from evalbox.service.tracing import Tracing
from evalbox.service.worker import Worker
from evalbox.store.files import content
from evalbox.store.output_reader import read_output
from evalbox.store.store import Store
from evalbox.telemetry import traces

#: Seconds between looks at an output file that another process may be writing, and at one that
#: this process tells of.
_OUTPUT_POLL, _OUTPUT_LOOK = 0.05, 1.0
_OUTPUT_PIECE = 256 * 1024
_EVENTS_PAGE = 500
_DRAINING = "holding: the service is about to end"
#: Whose images and checks are asked for where nothing else is said.
_DOCKER_ENGINES = ("gvisor", "runc")


class LocalBox:
    """Implements ``Box``. Made by ``open``."""

    def __init__(self, store: Store, settings: Settings, clock: Clock) -> None:
        self._store = store
        self._settings = settings
        self._clock = clock
        self._endings = Endings(store)
        self.authentication = Authentication(store, clock)
        self.metrics = Metrics(store, settings, clock, lambda: self._worker)
        self._tracing = Tracing(settings.otlp_endpoint)
        self._engines: dict[str, Engine] = {}
        self._made: list[Engine] = []
        self._worker: Worker | None = None
        self._images: Images | None = None

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
        on_lock: Callable[[Self], Awaitable[None]] | None = None,
    ) -> Self:
        """Opens the data directory, making it where it is missing.

        With ``work`` this process runs the queue as soon as no other does, with ``warm`` sandboxes
        kept ready. ``on_note`` is told in a line when that changes. ``engines`` stand in for those
        that would be made by name, and stay the caller's to close. ``on_lock`` is called when no
        other process runs the queue, before this one does; where it raises, nothing is run.
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
                on_lock=partial(on_lock, box) if on_lock else None,
            )
            try:
                await box._tracing.begin()
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

    async def stop_working(self, *, drain: float | None = None) -> None:
        """Claims no more; waits at most ``drain`` seconds for what runs here (None: all it takes).

        What still runs then, or when this is cancelled, lives on and is adopted by the next
        process. All else goes on as before until ``close``.
        """
        if self._worker is not None:
            try:
                await self._worker.stop(drain=drain)
            finally:
                self._worker = None

    async def close(self, *, drain: float | None = None) -> None:
        """Stops working, as ``stop_working`` does, and lets go of everything."""
        try:
            await self.stop_working(drain=drain)
        finally:
            await self._endings.close()
            for engine in self._made:
                await engine.close()
            await self._store.close()
            await self._tracing.end()

    @property
    def _scheduler(self) -> Scheduler | None:
        return self._worker.scheduler if self._worker else None

    async def work_begun(self) -> None:
        """Returns once this process runs the queue; never where it was not opened to work."""
        await (self._worker.working if self._worker else asyncio.Event()).wait()

    async def attempt_begun(self) -> None:
        """Returns once an attempt runs in this process; never where it was not opened to work."""
        await self.work_begun()
        await (scheduler.begun if (scheduler := self._scheduler) else asyncio.Event()).wait()

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
        async with audited(self._store, "input.upload") as entry:
            if isinstance(source, bytes):
                blob, size = await self._store.put_blob(source)
            else:
                blob, size = await self._store.put_blob_file(source)
            entry.target, entry.detail = blob, {"size": size}
        return blob, size

    async def read_blob(self, blob: str) -> AsyncIterator[bytes]:
        try:
            async for data in content(self._store.blob_path(blob)):
                yield data
        except FileNotFoundError:
            raise FileMissing(
                f"no blob {blob[:12]} is in the store",
                hint="upload it; what no evaluation needs is forgotten after a day",
            ) from None

    async def submit(self, specs: Sequence[EvaluationSpec]) -> Sequence[Evaluation]:
        detail = {"count": len(specs)}
        async with audited(self._store, "evaluation.submit", detail=detail, name=_ids):
            with traces.span("submit", attributes={"evalbox.count": len(specs)}):
                return await self._submit(specs)

    async def _submit(self, specs: Sequence[EvaluationSpec]) -> Sequence[Evaluation]:
        specs = [self._completed(spec) for spec in specs]
        check_specs(specs)
        if trace := traces.current():
            specs = [replace(spec, trace=trace) for spec in specs]
        for engine_name, image in {(spec.engine, spec.image) for spec in specs}:
            await self._check_image(engine_name, image)
        return await self._store.submit(specs, self._clock.now())

    def _completed(self, spec: EvaluationSpec) -> EvaluationSpec:
        """With the box's own engine and image where none is named."""
        if spec.image and spec.engine:
            return spec
        engine = spec.engine or self._settings.engine
        if engine == "process" and not spec.engine:
            raise InvalidInput(
                "engine process confines nothing, so it is never the default",
                hint="ask for it by name, or set another engine",
                field="engine",
            )
        return replace(spec, engine=engine, image=spec.image or self._settings.image)

    async def require_engine(self, name: str = "") -> None:
        await self._engine(name or self._settings.engine).ping()

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
        # What was removed has no attempts, and is not there either.
        await self._store.get(evaluation_id)
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
        async with audited(self._store, "evaluation.cancel", *of_many(ids)):
            cancelled = await self._store.request_cancel(ids, self._clock.now())
        scheduler = self._scheduler
        if scheduler is not None:
            for evaluation_id in ids:
                scheduler.cancel(evaluation_id)
        return cancelled

    async def retry(self, ids: Sequence[str]) -> Sequence[Evaluation]:
        async with audited(self._store, "evaluation.retry", *of_many(ids)):
            return await self._store.retry(ids, self._clock.now())

    async def remove(self, ids: Sequence[str]) -> None:
        async with audited(self._store, "evaluation.remove", *of_many(ids)):
            await self._store.remove(ids)

    async def prioritize(self, ids: Sequence[str], priority: Priority) -> Sequence[Evaluation]:
        target, detail = of_many(ids)
        told = {**detail, "priority": priority.name.lower()}
        async with audited(self._store, "evaluation.prioritize", target, told):
            return await self._store.prioritize(ids, priority, self._clock.now())

    async def set_score(
        self, evaluation_id: str, value: float, *, by: str, note: str = ""
    ) -> Evaluation:
        detail = {"value": value if math.isfinite(value) else str(value), "by": by[:MAX_BY]}
        async with audited(self._store, "evaluation.score", evaluation_id, detail):
            now = self._clock.now()
            score = graded(value, by=by, note=note, at=now)
            return await self._store.set_score(evaluation_id, score, now)

    async def report(self, evaluation_id: str, *, attempt: int | None = None) -> TaskReport | None:
        evaluation = await self._store.get(evaluation_id)
        return await read_report(self._store, evaluation, attempt or evaluation.attempts)

    async def activity(self) -> Sequence[Activity]:
        return scheduler.activity() if (scheduler := self._scheduler) else ()

    async def shell(self, evaluation_id: str, spec: ExecSpec) -> LocalExec:
        spec.check()
        return await open_shell(self._store, self._clock, self._scheduler, evaluation_id, spec)

    async def explain(self, evaluation_id: str) -> str:
        evaluation = await self._store.get(evaluation_id)
        if evaluation.state in FINAL:
            reason = f": {evaluation.reason}" if evaluation.reason else ""
            return f"{evaluation.state} ({evaluation.outcome}){reason}"
        if evaluation.state in ACTIVE:
            return self._at_what(evaluation)
        return await self._why_waiting(evaluation)

    def _at_what(self, evaluation: Evaluation) -> str:
        stands, since = str(evaluation.state), evaluation.started_at or evaluation.updated_at
        run = self._worker.run_of(evaluation.id) if self._worker else None
        if run is not None and run.progress.told[0] != evaluation.state:
            doing, since = run.progress.told
            stands = f"{evaluation.state}, {doing}"
        return f"{stands} for {format_duration(max(0.0, self._clock.now() - since))}"

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
        # While nothing may start at all, what would be free for this one is no reason.
        if waiting.cause in ("turn", "resources") and status.holding:
            return f"queued, {waiting.ahead} ahead; {status.holding}"
        if waiting.cause == "not_before" and evaluation.not_before is not None:
            due = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(evaluation.not_before))
            return f"queued until {due}"
        return f"queued, {waiting.ahead} ahead: {waiting.detail}"

    async def artifacts(
        self, evaluation_id: str, *, attempt: int | None = None
    ) -> Sequence[ArtifactRecord]:
        await self._store.get(evaluation_id)
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
        async for data in content(self._store.artifact_dir(evaluation_id, number) / path):
            yield data

    async def batches(self) -> Sequence[Batch]:
        return await self._store.batches()

    async def batch(self, name: str) -> Batch:
        return await self._store.batch(name)

    async def set_batch_concurrency(self, name: str, concurrency: int | None) -> Batch:
        async with audited(self._store, "batch.limit", name, {"concurrency": concurrency}):
            if concurrency is not None and concurrency < 1:
                raise InvalidInput(
                    f"batch {name}: a concurrency of {concurrency} would run nothing",
                    hint="give at least 1, or pause the queue",
                    field="concurrency",
                )
            await self._store.set_batch_concurrency(name, concurrency, self._clock.now())
        return await self._store.batch(name)

    async def plan_batch(self, name: str, plan: BatchPlan) -> Batch:
        reduce = plan.reduce
        detail = {"fail_fast": plan.fail_fast, "reduce": None if reduce is None else reduce.name}
        async with audited(self._store, "batch.plan", name, detail):
            if reduce is not None:
                labels = {**reduce.labels, REDUCES: name}
                reduce = replace(self._completed(reduce), batch=None, labels=labels)
                check_specs([reduce])
                await self._check_image(reduce.engine, reduce.image)
            now = self._clock.now()
            await self._store.plan_batch(name, replace(plan, reduce=reduce), now)
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
            holding=await self._holding(),
            working=holder is not None,
            here=scheduler is not None,
            draining=self._worker is not None and self._worker.draining,
        )

    async def _holding(self) -> str:
        if self._worker is None or self._worker.scheduler is None:
            return await self._store.holding()
        return _DRAINING if self._worker.draining else self._worker.scheduler.holding

    async def pause(self) -> None:
        async with audited(self._store, "queue.pause"):
            await self._store.set_paused(True, self._clock.now())

    async def resume(self) -> None:
        async with audited(self._store, "queue.resume"):
            await self._store.set_paused(False, self._clock.now())

    async def set_slots(self, slots: int) -> None:
        async with audited(self._store, "queue.resize", detail={"slots": slots}):
            if not 1 <= slots <= 1024:
                raise InvalidInput(
                    f"slots: {slots} is out of range", hint="give between 1 and 1024", field="slots"
                )
            await self._store.set_slots(slots, self._clock.now())

    async def events(
        self,
        *,
        after: int = 0,
        follow: bool = False,
        evaluation_id: str | None = None,
        batch: str | None = None,
    ) -> AsyncIterator[Event]:
        while True:
            # Before reading: an event of another evaluation ends the waiting too, but once only.
            newest = await self._store.last_seq() if follow else 0
            page = await self._store.events(
                after, limit=_EVENTS_PAGE, evaluation_id=evaluation_id, batch=batch
            )
            for event in page:
                after = event.seq
                yield event
            if len(page) == _EVENTS_PAGE:
                continue
            if not follow:
                return
            await self._store.wait_for_change(max(after, newest), 60.0)

    async def last_seq(self) -> int:
        return await self._store.last_seq()

    async def host(self, *, since: float | None = None) -> HostReport:
        scheduler = self._scheduler
        queue = await self.queue()
        history = await self._store.host_samples(since) if since is not None else []
        return HostReport(
            version=__version__,
            box=self._store.box_id,
            engine=self._settings.engine,
            slots=queue.slots,
            running=scheduler.running if scheduler else 0,
            warm=queue.warm,
            latest=self._worker.host_sample if self._worker else None,
            history=tuple(_host_sample(data) for _, data in history),
        )

    async def diagnose(self, engines: Sequence[str] = ()) -> AsyncIterator[Check]:
        from evalbox.service.doctor import diagnose

        async for check in diagnose(self._settings, engines=engines or _DOCKER_ENGINES):
            yield check

    @property
    def images(self) -> Images:
        if self._images is None:
            self._images = LocalImages(
                self._images_of_engine(),
                self._store,
                self._settings,
                self._engine,
                Builders(self._store, self._engine, self._builds),
            )
        return self._images

    def _builds(self) -> Builds | None:
        return self._scheduler.builds if self._scheduler else None

    def _images_of_engine(self) -> EngineImages:
        if self._settings.engine == "fake" and isinstance(fake := self._engine("fake"), FakeEngine):
            return fake.images
        docker = DockerEngine("runc", docker_host=self._settings.docker_host or None)
        self._made.append(docker)
        return docker.images

    @property
    def keys(self) -> LocalKeys:
        return LocalKeys(self._store, self._clock, self.authentication)

    @property
    def sandboxes(self) -> LocalSandboxes:
        return LocalSandboxes(self._store, self._settings, self._clock, self._residents)

    def _residents(self) -> Residents | None:
        return self._scheduler.residents if self._scheduler else None

    @property
    def audit(self) -> LocalAudit:
        return LocalAudit(self._store)

    @property
    def webhooks(self) -> LocalWebhooks:
        return LocalWebhooks(self._store, self._clock, private=self._settings.webhook_private)

    async def backup(self, target: Path) -> None:
        async with audited(self._store, "box.backup", str(target)):
            await self._store.backup(target)


def _ids(made: Sequence[Evaluation]) -> str:
    """The first and the last of those that were submitted together."""
    return " to ".join(dict.fromkeys((made[0].id, made[-1].id))) if made else ""


def _host_sample(data: dict[str, Any]) -> HostSample:
    """JSON knows no tuples."""
    return HostSample(**data | {key: tuple(data[key]) for key in ("cores", "load")})


async def _either(event: asyncio.Event | None, seconds: float) -> None:
    """Returns when the event is set, and after so many seconds at the latest."""
    if event is None:
        await asyncio.sleep(seconds)
        return
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await event.wait()
