"""Carries one attempt from its claim to its verdict."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass

from evalbox.domain.attempt import Attempt, Usage, Verdict
from evalbox.domain.clock import Clock
from evalbox.domain.evaluation import Evaluation, InputFile
from evalbox.domain.limits import Limits
from evalbox.domain.outcome import RETRYABLE, Outcome
from evalbox.domain.records import ArtifactRecord
from evalbox.domain.state import State, final_state
from evalbox.engines.base import (
    LABEL_ATTEMPT,
    LABEL_EVALUATION,
    Chunk,
    Exit,
    Launch,
    Profile,
    Sandbox,
    SourceFile,
    Stream,
)
from evalbox.errors import EngineError, EngineUnavailable, EvalboxError, StoreError
from evalbox.monitor.sandboxes import SandboxSampler
from evalbox.scheduler.gate import Gate
from evalbox.scheduler.pool import WarmPool
from evalbox.scheduler.verdict import decide
from evalbox.store.artifacts import extract
from evalbox.store.outputs import OutputWriter
from evalbox.store.store import Store
from evalbox.telemetry.logs import get_logger

log = get_logger(__name__)

#: Deadlines in seconds for the phases that are the box's own work.
START_DEADLINE = 120.0
COLLECT_DEADLINE = 120.0
END_DEADLINE = 30.0
DESTROY_DEADLINE = 60.0


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What every attempt of a scheduler shares."""

    store: Store
    pool: WarmPool
    sampler: SandboxSampler
    clock: Clock
    chance: Callable[[], float] = random.random


@dataclass(frozen=True, slots=True)
class _Next:
    """What becomes of the evaluation after this attempt."""

    state: State
    not_before: float | None
    failures: int
    infra_failures: int


class AttemptRun:
    """One attempt under way.

    ``run`` is its life, and may be cancelled at any point: then nothing is recorded, the sandbox
    lives on, and a later process adopts it. ``stop`` ends it with a verdict.
    """

    def __init__(
        self,
        around: Surroundings,
        gate: Gate,
        evaluation: Evaluation,
        *,
        adopted: Attempt | None = None,
    ) -> None:
        self.evaluation = evaluation
        self.number = evaluation.attempts
        self.grew = asyncio.Event()
        self._around = around
        self._gate = gate
        self._adopted = adopted
        self._sandbox: Sandbox | None = None
        self._cause: Outcome | None = None
        self._starting: asyncio.Timeout | None = None
        self._kill: asyncio.Task[None] | None = None
        self._unburnt = False
        self._first_output_at: float | None = None
        self._truncated = False
        self._artifacts: Sequence[ArtifactRecord] = ()
        self._writer: OutputWriter | None = None
        self._usage = Usage()
        self._last: Usage | None = None

    @property
    def sandbox_id(self) -> str | None:
        return self._sandbox.id if self._sandbox else None

    @property
    def key(self) -> tuple[str, int]:
        return self.evaluation.id, self.number

    def stop(self, cause: Outcome) -> None:
        """Ends the attempt for the reason given; the first reason counts."""
        if self._cause is not None:
            return
        self._cause = cause
        if self._starting is not None:
            self._starting.reschedule(asyncio.get_running_loop().time())
        elif self._sandbox is not None:
            self._kill = asyncio.create_task(self._kill_sandbox(), name="kill-sandbox")

    def sampled(self, usage: Usage) -> None:
        """Looks at a measurement of the sandbox: what is over its disk limit is stopped."""
        if usage.disk > self.evaluation.spec.limits.disk:
            self.stop(Outcome.DISK_LIMIT)

    async def run(self) -> None:
        try:
            try:
                verdict = await self._verdict()
            except Exception as error:
                # A defect of ours: it must not leave the evaluation running for ever.
                log.exception("evalbox itself failed")
                verdict = Verdict(Outcome.INFRA_ERROR, reason=f"evalbox itself failed: {error!r}")
            await self._record(verdict)
        finally:
            if self._kill is not None:
                self._kill.cancel()
        await self._destroy()

    async def _verdict(self) -> Verdict:
        try:
            started = await self._start()
        except EngineError as error:
            return self._infra(error)
        except EvalboxError as error:
            return Verdict(Outcome.INFRA_ERROR, reason=error.message)
        if not started:
            return decide(self._cause or Outcome.CANCELLED, None, self._limits, self._usage)
        try:
            ended = await self._supervise()
        except EngineError as error:
            if self._cause is None:
                return self._infra(error)
            ended = None
        finally:
            if self._writer is not None:
                # One fsync at the end: what a crash of the machine may lose of a running job's
                # output is lost together with the job.
                await asyncio.to_thread(self._writer.close, sync=True)
        if ended is not None:
            self._gate.succeeded()
        return decide(self._cause, ended, self._limits, self._usage)

    async def _start(self) -> bool:
        """Whether the command was launched; False where a stop came first."""
        try:
            async with asyncio.timeout(START_DEADLINE) as self._starting:
                if self._adopted is not None:
                    await self._take_over(self._adopted)
                else:
                    await self._make()
        except TimeoutError:
            if self._cause is None:
                raise EngineError(
                    f"the sandbox was not started within {START_DEADLINE:.0f} s"
                ) from None
        finally:
            self._starting = None
        return self._cause is None

    async def _take_over(self, attempt: Attempt) -> None:
        if attempt.sandbox_id is None:
            raise EngineError("evalbox stopped before the sandbox was started")
        await self._gate.pass_through()
        self._writer = await asyncio.to_thread(self._around.store.output_writer, *self.key)
        kept = await self._around.store.read_output(*self.key, limit=1)
        self._first_output_at = kept[0].at if kept else None
        self._sandbox = await self._gate.engine.adopt(attempt.sandbox_id)
        await self._sandbox.launch(self._launch())
        log.info("adopted", sandbox=self._sandbox.id)

    async def _make(self) -> None:
        evaluation, spec, store = self.evaluation, self.evaluation.spec, self._around.store
        await self._gate.pass_through()
        image = await self._gate.engine.image(spec.image)
        profile = Profile(
            image=image.id,
            user=spec.user,
            workdir=spec.workdir,
            network=spec.network,
            limits=spec.limits,
        )
        labels = {LABEL_EVALUATION: evaluation.id, LABEL_ATTEMPT: str(self.number)}
        name = f"{evaluation.short_id}-{self.number}"
        self._sandbox, warm = await self._around.pool.acquire(self._gate, profile, labels, name)
        launch = self._launch()
        await self._sandbox.prepare(launch)
        # Durable before the launch: after a crash the sandbox is found by this record, and
        # launching it again is harmless.
        owned = await store.mark_running(
            evaluation.id,
            self.number,
            self._around.clock.now(),
            sandbox_id=self._sandbox.id,
            image_digest=image.digest,
            warm=warm,
        )
        if not owned:
            self._cause = self._cause or Outcome.CANCELLED
            return
        await self._sandbox.launch(launch)

    def _launch(self) -> Launch:
        spec = self.evaluation.spec
        return Launch(
            command=spec.command,
            workdir=spec.workdir,
            env=spec.env,
            files=tuple(self._source(item) for item in spec.inputs),
            stdin=self._source(spec.stdin) if spec.stdin else None,
            artifacts=spec.artifacts,
        )

    def _source(self, item: InputFile) -> SourceFile:
        return SourceFile(item.path, self._around.store.blob_path(item.blob), item.size, item.mode)

    async def _supervise(self) -> Exit | None:
        """Follows the sandbox to its end, which a stop brings about by killing it."""
        sandbox, limits = self._sandbox, self._limits
        if sandbox is None:
            raise EngineError("there is no sandbox")
        loop = asyncio.get_running_loop()
        left = limits.timeout - self._elapsed()
        deadline = loop.call_later(max(0.0, left), self.stop, Outcome.TIMEOUT)
        collection = None
        if self.evaluation.spec.artifacts:
            collection = asyncio.create_task(self._collect(sandbox, deadline), name="artifacts")
        sampler = self._around.sampler
        sampler.watch(*self.key, sandbox.usage)
        try:
            async with asyncio.timeout(max(0.0, left) + COLLECT_DEADLINE + END_DEADLINE):
                async for chunk in sandbox.output(self._seen()):
                    await self._keep(chunk)
                if collection is not None:
                    self._artifacts = await collection
                return await self._end(sandbox)
        except TimeoutError:
            if self._cause is None:
                raise EngineError("the sandbox could not be ended") from None
            return None
        finally:
            deadline.cancel()
            self._usage = sampler.unwatch(*self.key, self._last)
            if collection is not None:
                collection.cancel()

    def _seen(self) -> dict[Stream, int]:
        """What an earlier process has kept of the output already."""
        if self._writer is None:
            return {}
        return {Stream(number): count for number, count in self._writer.per_stream.items()}

    async def _end(self, sandbox: Sandbox) -> Exit:
        self._last = await sandbox.usage()
        return await sandbox.wait()

    async def _keep(self, chunk: Chunk) -> None:
        """Keeps output up to the limit; what comes after it is read and dropped."""
        now = self._around.clock.now()
        if self._first_output_at is None:
            self._first_output_at = now
        if self._writer is None:
            self._writer = self._around.store.output_writer(*self.key)
        room = self._limits.output - self._writer.bytes
        data = chunk.data[:room] if room < len(chunk.data) else chunk.data
        if data:
            await asyncio.to_thread(self._writer.append, int(chunk.stream), data, now)
            self.grew.set()
        if len(data) < len(chunk.data):
            self._truncated = True
            self.stop(Outcome.OUTPUT_LIMIT)

    async def _collect(
        self, sandbox: Sandbox, deadline: asyncio.TimerHandle
    ) -> Sequence[ArtifactRecord]:
        """Keeps the artifacts. Their stream begins when the command has ended."""

        async def disarmed() -> AsyncIterator[bytes]:
            first = True
            async for data in sandbox.artifacts():
                if first:
                    deadline.cancel()
                    first = False
                yield data

        directory = self._around.store.artifact_dir(*self.key)
        return await extract(disarmed(), directory, max_bytes=self._limits.artifacts)

    async def _record(self, verdict: Verdict) -> None:
        """Records the verdict; tries on while the disk is full, since a verdict is never lost."""
        following = self._following(verdict)
        wait = 1.0
        while True:
            try:
                recorded = await self._around.store.finish(
                    self.evaluation.id,
                    self.number,
                    self._around.clock.now(),
                    verdict=verdict,
                    usage=self._usage,
                    state=following.state,
                    not_before=following.not_before,
                    output_bytes=self._writer.bytes if self._writer else 0,
                    truncated=self._truncated,
                    first_output_at=self._first_output_at,
                    failures=following.failures,
                    infra_failures=following.infra_failures,
                    artifacts=self._artifacts,
                )
                break
            except StoreError as error:
                log.error("verdict not recorded yet", error=error.message)
                await asyncio.sleep(wait)
                wait = min(30.0, wait * 2)
        self.grew.set()
        log.info("ended", outcome=verdict.outcome, reason=verdict.reason, recorded=recorded)

    def _following(self, verdict: Verdict) -> _Next:
        evaluation, outcome = self.evaluation, verdict.outcome
        now = self._around.clock.now()
        if self._unburnt:
            # The engine is down: the evaluation waits at the gate and loses none of its tries.
            return _Next(State.QUEUED, now, evaluation.failures, evaluation.infra_failures)
        failures = evaluation.failures + (outcome in RETRYABLE)
        infra_failures = evaluation.infra_failures + (outcome is Outcome.INFRA_ERROR)
        policy = evaluation.spec.retry
        if policy.allows(outcome, failures=failures, infra_failures=infra_failures):
            count = infra_failures if outcome is Outcome.INFRA_ERROR else failures
            wait = policy.delay(count, chance=self._around.chance())
            return _Next(State.QUEUED, now + wait, failures, infra_failures)
        return _Next(final_state(outcome), None, failures, infra_failures)

    def _infra(self, error: EngineError) -> Verdict:
        self._gate.failed(error)
        self._unburnt = isinstance(error, EngineUnavailable)
        log.warning("infra error", error=error.message)
        return Verdict(Outcome.INFRA_ERROR, reason=error.message)

    async def _kill_sandbox(self) -> None:
        if self._sandbox is None:
            return
        try:
            await self._sandbox.kill()
        except EngineError as error:
            log.warning("sandbox not killed", sandbox=self._sandbox.id, error=error.message)

    async def _destroy(self) -> None:
        if self._sandbox is None:
            return
        try:
            async with asyncio.timeout(DESTROY_DEADLINE):
                await self._sandbox.destroy()
        except (EngineError, TimeoutError) as error:
            # It carries our label: the tidying before the gate opens again finds it.
            log.warning("sandbox not removed", sandbox=self._sandbox.id, error=str(error))
            self._gate.failed(EngineUnavailable(f"a sandbox could not be removed: {error}"))

    @property
    def _limits(self) -> Limits:
        return self.evaluation.spec.limits

    def _elapsed(self) -> float:
        """Seconds that an adopted attempt has run before this process."""
        if self._adopted is None or self._adopted.started_at is None:
            return 0.0
        return max(0.0, self._around.clock.now() - self._adopted.started_at)
