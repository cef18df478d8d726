"""Carries one attempt from its claim to its verdict."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from evalbox.domain.activity import Activity
from evalbox.domain.attempt import Attempt, Usage, Verdict
from evalbox.domain.clock import Clock
from evalbox.domain.evaluation import Evaluation, InputFile
from evalbox.domain.image import Image
from evalbox.domain.limits import MIB, Limits
from evalbox.domain.outcome import Outcome
from evalbox.domain.records import ArtifactRecord
from evalbox.engines.base import (
    LABEL_ATTEMPT,
    LABEL_EVALUATION,
    Exit,
    Launch,
    Profile,
    Sandbox,
    SourceFile,
)
from evalbox.engines.execution import Exec, Execution
from evalbox.errors import (
    EngineError,
    EngineUnavailable,
    EvalboxError,
    InvalidTransition,
    SandboxGone,
    StoreError,
)
from evalbox.monitor.sandboxes import SandboxSampler
from evalbox.scheduler.account import Account, AttemptMeters
from evalbox.scheduler.beside import Beside
from evalbox.scheduler.findings import Findings
from evalbox.scheduler.following import Following, following, queue_again
from evalbox.scheduler.gate import Gate
from evalbox.scheduler.pool import WarmPool
from evalbox.scheduler.progress import Phase, Progress
from evalbox.scheduler.transcript import Transcript
from evalbox.scheduler.verdict import decide
from evalbox.store.artifacts import extract, wanted
from evalbox.store.store import Store
from evalbox.telemetry.logs import get_logger

log = get_logger(__name__)

#: Deadlines in seconds for the phases that are the box's own work.
START_DEADLINE = 120.0
COLLECT_DEADLINE = 120.0
END_DEADLINE = 30.0
DESTROY_DEADLINE = 60.0
#: Seconds in which what a sandbox said before it was killed must arrive. An engine that was about
#: to do something else in it may take half a minute to see its end.
LAST_WORDS = 1.5
#: Seconds beyond its deadline that an attempt gets once its artifacts begin to come, and bytes of
#: artifacts for which it gets a second more. Time that the box itself takes does not count. It is
#: little, since a task that goes on can make it seem to have ended.
COLLECT_GRACE, COLLECT_RATE = 1.0, 16 * MIB
#: Seconds in which an adopted sandbox whose time is up must say that it has ended: it may have done
#: so in time, while nobody watched.
ADOPTION_GRACE = 1.0
_NOTHING = Usage()


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What every attempt of a scheduler shares."""

    store: Store
    pool: WarmPool
    sampler: SandboxSampler
    clock: Clock
    meters: AttemptMeters
    chance: Callable[[], float] = random.random


class AttemptRun:
    """One attempt under way.

    ``run`` is its life, and may be cancelled at any point: then what has not begun goes back to
    the queue, and a sandbox that has lives on, to be adopted by a later process. ``stop`` ends it
    with a verdict.
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
        limit, clock = evaluation.spec.limits.output, around.clock
        self.transcript = Transcript(around.store, self.key, limit, clock)
        self.account = Account(around.meters, clock, evaluation, adopted)
        self.progress = Progress(clock, Phase.ADOPTING if adopted else Phase.WAITING)
        self.beside = Beside(f"the sandbox of {evaluation.short_id}")
        self._around = around
        self._gate = gate
        self._adopted = adopted
        self._owed = adopted.sandbox_id if adopted else None
        self._sandbox: Sandbox | None = None
        self._cause: Outcome | None = None
        self._scope: asyncio.Timeout | None = None
        self._begun = adopted is not None
        self._launched = False
        self._over = False
        self._kill: asyncio.Task[None] | None = None
        self._deadline: asyncio.TimerHandle | None = None
        self._last_look: asyncio.Task[None] | None = None
        self._outage = False
        self._findings = Findings(around.store, self.key, evaluation.spec)
        self._artifacts: Sequence[ArtifactRecord] = ()
        self._usage = _NOTHING
        self._last: Usage | None = None

    @property
    def sandbox_id(self) -> str | None:
        """The sandbox that is this attempt's, or is still to be adopted."""
        return self._sandbox.id if self._sandbox else self._owed

    @property
    def key(self) -> tuple[str, int]:
        return self.evaluation.id, self.number

    def stop(self, cause: Outcome) -> None:
        """Ends the attempt for the reason given; the first reason counts."""
        if self._cause is not None or self._over:
            return
        self._cause = cause
        self.progress.enter(Phase.STOPPING)
        if self._launched:
            self._kill_soon()
            self._hurry(END_DEADLINE)
        else:
            self._hurry(0.0)

    def sampled(self, usage: Usage) -> None:
        """Looks at a measurement of the sandbox: what is over its disk limit is stopped."""
        self.progress.measured(usage)
        if usage.disk > self.evaluation.spec.limits.disk:
            self.stop(Outcome.DISK_LIMIT)

    def activity(self) -> Activity | None:
        """What it is at; None once its verdict is recorded."""
        if self.progress.phase is Phase.REMOVING:
            return None
        return self.progress.activity(self.evaluation, self.number, self.transcript)

    async def exec(self, program: Exec) -> Execution:
        """Starts a program beside the job. Raises ``InvalidTransition`` where that does not run."""
        if self._sandbox is None or self.progress.phase is not Phase.RUNNING:
            raise not_running(self.evaluation, self.progress.phase)
        return await self._sandbox.exec(program)

    async def run(self) -> None:
        try:
            try:
                verdict = await self._verdict()
                stopped = self._cause is not None
                verdict = await self._findings.tell(verdict, stopped=stopped)
            except Exception as error:
                # A defect of ours: it must not leave the evaluation running for ever.
                log.exception("evalbox itself failed")
                verdict = Verdict(Outcome.INFRA_ERROR, reason=f"evalbox itself failed: {error!r}")
            self._over = True
            self._abandon()
            if verdict.outcome is Outcome.INFRA_ERROR:
                # Its sandbox may run on, and recording may have to wait for room on the disk.
                self._kill_soon()
            await self._record(verdict)
        except asyncio.CancelledError:
            if not self._begun:
                await self._give_back()
            raise
        finally:
            for task in (self._last_look, self._kill):
                if task is not None:
                    await _ended(task)
        self.progress.enter(Phase.REMOVING)
        await self._destroy()

    async def _verdict(self) -> Verdict:
        ended = None
        try:
            ended = await self._live() if self._cause is None else None
        except EngineError as error:
            if self._cause is None:
                return self._infra(error)
        except EvalboxError as error:
            if self._cause is None:
                return Verdict(Outcome.INFRA_ERROR, reason=error.message)
        if ended is not None:
            self._gate.succeeded()
        return decide(self._cause, ended, self._limits, self._usage)

    async def _live(self) -> Exit | None:
        """From the start to the end; None where a stop kept it from starting, or from ending."""
        # An adopted attempt has all the time that its engine takes to come back.
        deadline = None if self._adopted else START_DEADLINE
        try:
            async with asyncio.timeout(deadline) as self._scope:
                sandbox = await self._start()
                if self._cause:
                    return None
                with self.account.phase("run"):
                    return await self._supervise(sandbox)
        except TimeoutError:
            if self._cause is not None:
                return None
            if self._launched:
                raise EngineError("the sandbox could not be ended") from None
            raise EngineError(
                f"the sandbox was not started within {START_DEADLINE:.0f} s"
            ) from None
        finally:
            self._scope = None
            await self.transcript.close()

    async def _start(self) -> Sandbox:
        """The sandbox, launched unless a stop came first."""
        if self._adopted is not None:
            return await self._take_over(self._adopted)
        return await self._make()

    async def _take_over(self, attempt: Attempt) -> Sandbox:
        if attempt.sandbox_id is None:
            # As in an outage: it is counted, and costs no try until that has happened often.
            self._outage = True
            raise EvalboxError("evalbox stopped before the sandbox was started")
        await self.transcript.take_over()
        self._sandbox = sandbox = await self._adopt(attempt.sandbox_id)
        self._owed = None
        await sandbox.launch(await self._launch())
        log.info("adopted", sandbox=sandbox.id)
        return sandbox

    async def _adopt(self, sandbox_id: str) -> Sandbox:
        while True:
            await self._gate.opened()
            self._hurry(START_DEADLINE)
            try:
                return await self._gate.engine.adopt(sandbox_id)
            except EngineUnavailable as error:
                self._gate.failed(error)
            except SandboxGone:
                self._owed = None
                raise

    def _abandon(self) -> None:
        """What was to be adopted and was not may run on, until the gate's tidying finds it."""
        if self._owed is not None:
            self._owed = None
            self._gate.failed(EngineUnavailable("a sandbox could not be adopted"))

    async def _make(self) -> Sandbox:
        spec = self.evaluation.spec
        await self._gate.pass_through()
        self.progress.enter(Phase.FINDING)
        image = await self._gate.engine.image(spec.image)
        profile = Profile(
            image=image.id,
            user=spec.user,
            workdir=spec.workdir,
            network=spec.network,
            limits=spec.limits,
            capabilities=spec.capabilities,
        )
        labels = {LABEL_EVALUATION: self.evaluation.id, LABEL_ATTEMPT: str(self.number)}
        name = f"{self.evaluation.short_id}-{self.number}"
        while True:
            self.progress.enter(Phase.MAKING)
            with self.account.phase("sandbox"):
                sandbox, warm = await self._around.pool.acquire(self._gate, profile, labels, name)
            self.account.took(warm=warm)
            self._sandbox = sandbox
            try:
                await self._begin(sandbox, image, warm=warm)
                return sandbox
            except SandboxGone:
                if not warm:
                    raise
                # It died while it waited, which is nobody's failure.
                with suppress(EngineError):
                    await sandbox.destroy()

    async def _begin(self, sandbox: Sandbox, image: Image, *, warm: bool) -> None:
        self.progress.enter(Phase.FILLING)
        with self.account.phase("files"):
            launch = await self._launch()
            await sandbox.prepare(launch)
        # Durable before the launch: after a crash the sandbox is found by this record, and
        # launching it again is harmless.
        self._begun = True
        owned = await self._around.store.mark_running(
            *self.key,
            self._around.clock.now(),
            sandbox_id=sandbox.id,
            image_digest=image.digest,
            warm=warm,
        )
        if not owned:
            self._cause = self._cause or Outcome.CANCELLED
            return
        self.progress.enter(Phase.LAUNCHING)
        with self.account.phase("launch"):
            await sandbox.launch(launch)
        self.account.launched(warm=warm)

    async def _launch(self) -> Launch:
        spec = self.evaluation.spec
        return Launch(
            command=spec.command,
            workdir=spec.workdir,
            env=await self._around.store.environment(self.evaluation),
            files=tuple(self._source(item) for item in spec.inputs),
            stdin=self._source(spec.stdin) if spec.stdin else None,
            artifacts=self._findings.paths,
            artifact_bytes=wanted(spec.limits.artifacts),
        )

    def _source(self, item: InputFile) -> SourceFile:
        return SourceFile(item.path, self._around.store.blob_path(item.blob), item.size, item.mode)

    async def _supervise(self, sandbox: Sandbox) -> Exit:
        """Follows the sandbox to its end, which a stop brings about by killing it."""
        self._launched = True
        self.progress.enter(Phase.RUNNING)
        left = self._time_left()
        self._hurry(left + COLLECT_DEADLINE + END_DEADLINE)
        self._due(asyncio.get_running_loop().time() + left)
        sampler = self._around.sampler
        sampler.watch(*self.key, sandbox.usage)
        collection = None
        try:
            if self._findings.paths:
                collection = self._start_collecting(sandbox)
            async for chunk in sandbox.output(self.transcript.seen()):
                await self.transcript.keep(chunk)
                if self.transcript.truncated:
                    self.stop(Outcome.OUTPUT_LIMIT)
            # It has ended: whatever is left to do is not the task's time any more.
            self._due(None)
            if collection is not None:
                self._artifacts = await collection
            self._last = await sandbox.usage()
            return await sandbox.wait()
        finally:
            self._due(None)
            self._usage = sampler.unwatch(*self.key, self._last)
            if collection is not None:
                await _ended(collection)

    def _start_collecting(self, sandbox: Sandbox) -> asyncio.Task[Sequence[ArtifactRecord]]:
        def collected(task: asyncio.Task[Sequence[ArtifactRecord]]) -> None:
            # The sandbox ends when its artifacts have been read; where they will not be, it must
            # not wait for that.
            if not task.cancelled() and task.exception() is not None:
                self._kill_soon()
            else:
                self._grant(COLLECT_GRACE)

        collection = asyncio.create_task(self._collect(sandbox), name="artifacts")
        collection.add_done_callback(collected)
        return collection

    async def _collect(self, sandbox: Sandbox) -> Sequence[ArtifactRecord]:
        """Keeps the artifacts. Their stream begins when the command has ended, or says so."""
        limit = self._limits.artifacts
        since = None
        time = asyncio.get_running_loop().time

        async def timed() -> AsyncIterator[bytes]:
            nonlocal since
            async for data in sandbox.artifacts():
                if since is None:
                    await self._enter_scoring()
                    self._grant(COLLECT_GRACE + limit / COLLECT_RATE)
                    since = self._around.clock.now()
                began = time()
                yield data
                self._postpone(time() - began)

        directory = self._around.store.artifact_dir(*self.key)
        score = self._findings.score_file
        kept = await extract(timed(), directory, max_bytes=limit, score=score)
        if since is not None:
            self.account.collected(since)
        return kept

    async def _enter_scoring(self) -> None:
        if self._findings.score_file is None:
            self.progress.enter(Phase.KEEPING)
            return
        self.progress.enter(Phase.SCORING)
        # It is for those who watch: a disk that is full shows when the verdict is recorded.
        with suppress(StoreError):
            await self._around.store.mark_scoring(*self.key, self._around.clock.now())

    def _due(self, when: float | None) -> None:
        """The time of the event loop at which the task is stopped; None for never."""
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
        if when is not None:
            loop = asyncio.get_running_loop()
            self._deadline = loop.call_at(when, self._expire)

    def _expire(self) -> None:
        if self._adopted is None:
            self.stop(Outcome.TIMEOUT)
        else:
            self._last_look = asyncio.create_task(self._stop_unless_ended(), name="last-look")

    async def _stop_unless_ended(self) -> None:
        loop = asyncio.get_running_loop()
        if self._sandbox is not None:
            with suppress(EngineError, TimeoutError):
                async with asyncio.timeout(ADOPTION_GRACE):
                    await self._sandbox.wait()
                    return
        if self._deadline is not None and self._deadline.when() <= loop.time():
            self.stop(Outcome.TIMEOUT)

    def _grant(self, seconds: float) -> None:
        """So many seconds are left at least."""
        if self._deadline is not None:
            now = asyncio.get_running_loop().time()
            self._due(max(self._deadline.when(), now + seconds))

    def _postpone(self, seconds: float) -> None:
        if self._deadline is not None:
            self._due(self._deadline.when() + seconds)

    async def _record(self, verdict: Verdict) -> None:
        """Records the verdict; tries on while the disk is full, since a verdict is never lost."""
        chance = self._around.chance()
        after = following(
            self.evaluation,
            verdict.outcome,
            self._around.clock.now(),
            chance=chance,
            outage=self._outage,
        )
        self.progress.enter(Phase.RECORDING)
        with self.account.phase("verdict"):
            recorded = await insist(lambda: self._finish(verdict, after))
        self.account.ended(verdict, self._usage, self.transcript)
        self.transcript.tell()
        log.info("ended", outcome=verdict.outcome, reason=verdict.reason, recorded=recorded)

    async def _give_back(self) -> None:
        """Leaves nothing of an attempt that was let go before the store knew of its sandbox."""
        verdict = Verdict(Outcome.INFRA_ERROR, reason="evalbox stopped before it was started")
        with suppress(StoreError):
            await self._finish(verdict, queue_again(self.evaluation))
        await self._destroy()

    async def _finish(self, verdict: Verdict, after: Following) -> bool:
        return await self._around.store.finish(
            *self.key,
            self._around.clock.now(),
            verdict=verdict,
            usage=self._usage,
            state=after.state,
            not_before=after.not_before,
            output_bytes=self.transcript.bytes,
            truncated=self.transcript.truncated,
            first_output_at=self.transcript.first_at,
            failures=after.failures,
            infra_failures=after.infra_failures,
            artifacts=self._artifacts,
        )

    def _infra(self, error: EngineError) -> Verdict:
        if self._adopted is None or not isinstance(error, SandboxGone):
            self._gate.failed(error)
        self._outage = isinstance(error, EngineUnavailable)
        log.warning("infra error", error=error.message)
        return Verdict(Outcome.INFRA_ERROR, reason=error.message)

    def _hurry(self, seconds: float) -> None:
        """What is under way gets so much time from now on."""
        if self._scope is not None and not self._scope.expired():
            self._scope.reschedule(asyncio.get_running_loop().time() + seconds)

    def _kill_soon(self) -> None:
        if self._kill is None:
            self._kill = asyncio.create_task(self._kill_sandbox(), name="kill-sandbox")

    async def _kill_sandbox(self) -> None:
        sandbox = self._sandbox
        while sandbox is not None:
            try:
                await sandbox.kill()
            except SandboxGone:
                return
            except EngineError as error:
                log.warning("sandbox not killed", sandbox=sandbox.id, error=error.message)
                await asyncio.sleep(1.0)
            else:
                if self._cause is not None:
                    self._hurry(LAST_WORDS)
                return

    async def _destroy(self) -> None:
        sandbox = self._sandbox
        if sandbox is None:
            return
        try:
            with self.account.phase("destroy"):
                async with asyncio.timeout(DESTROY_DEADLINE):
                    await sandbox.destroy()
        except (EngineError, TimeoutError) as error:
            # It carries our label: the tidying before the gate opens again finds it.
            self._sandbox = None
            log.warning("sandbox not removed", sandbox=sandbox.id, error=str(error))
            self._gate.failed(EngineUnavailable(f"a sandbox could not be removed: {error}"))

    @property
    def _limits(self) -> Limits:
        return self.evaluation.spec.limits

    def _time_left(self) -> float:
        """Seconds until the deadline. The time without evalbox counts, by the wall clock."""
        if self._adopted is None or self._adopted.started_at is None:
            return self._limits.timeout
        elapsed = max(0.0, self._around.clock.now() - self._adopted.started_at)
        return max(0.0, self._limits.timeout - elapsed)


def not_running(evaluation: Evaluation, stands: str) -> InvalidTransition:
    """``stands`` says how it stands instead."""
    return InvalidTransition(
        f"evaluation {evaluation.short_id} does not run: it is {stands}",
        hint="programs can be run beside a job for as long as that runs",
    )


async def insist(write: Callable[[], Awaitable[bool]]) -> bool:
    """Writes to the store, again and again while it fails: its disk may be full for a while."""
    wait = 1.0
    while True:
        try:
            return await write()
        except StoreError as error:
            log.error("not recorded yet", error=error.message)
            await asyncio.sleep(wait)
            wait = min(30.0, wait * 2)


async def _ended(task: asyncio.Task[Any]) -> None:
    """Returns when the task has ended, which it is told to do at once."""
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
