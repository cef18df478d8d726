"""Carries one attempt from its claim to its verdict."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from evalbox.domain.activity import Activity
from evalbox.domain.attempt import Attempt, Usage, Verdict
from evalbox.domain.evaluation import Evaluation
from evalbox.domain.limits import Limits
from evalbox.domain.outcome import Outcome
from evalbox.domain.records import ArtifactRecord
from evalbox.engines.base import Exit, Sandbox, Stream
from evalbox.engines.execution import Exec, Execution
from evalbox.errors import (
    EngineError,
    EngineUnavailable,
    EvalboxError,
    ImageBuildError,
    InvalidInput,
    InvalidTransition,
    SandboxGone,
)
from evalbox.scheduler.account import Account
from evalbox.scheduler.beside import Beside
from evalbox.scheduler.collection import Collection
from evalbox.scheduler.deadline import Deadline
from evalbox.scheduler.findings import Findings
from evalbox.scheduler.gate import Gate
from evalbox.scheduler.hold import START_DEADLINE, Hold
from evalbox.scheduler.progress import Phase, Progress
from evalbox.scheduler.recording import Recording
from evalbox.scheduler.steps import Steps
from evalbox.scheduler.surroundings import Surroundings
from evalbox.scheduler.transcript import Transcript
from evalbox.scheduler.verdict import decide
from evalbox.tasks.registry import judge_of
from evalbox.telemetry.logs import get_logger

log = get_logger(__name__)

#: Deadlines in seconds for the phases at the end that are the box's own work.
COLLECT_DEADLINE = 120.0
END_DEADLINE = 30.0
#: Seconds in which what a sandbox said before it was killed must arrive. An engine that was about
#: to do something else in it may take half a minute to see its end.
LAST_WORDS = 1.5
#: Seconds in which an adopted sandbox whose time is up must say that it has ended: it may have done
#: so in time, while nobody watched.
ADOPTION_GRACE = 1.0


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
        self._cause: Outcome | None = None
        self._scope: asyncio.Timeout | None = None
        self._launched = False
        self._over = False
        self._outage = False
        self._last: Usage | None = None
        self._last_look: asyncio.Task[None] | None = None
        self._deadline = Deadline(self._expire)
        judge = judge_of(evaluation.spec.kind)
        self._findings = Findings(around.store, self.key, evaluation.spec, judge)
        self._steps = Steps(around.store, self.key, judge, clock=clock, progress=self.progress)
        self._collection = Collection(
            around,
            evaluation,
            findings=self._findings,
            deadline=self._deadline,
            progress=self.progress,
            account=self.account,
        )
        self._recording = Recording(
            around, evaluation, transcript=self.transcript, account=self.account
        )
        self._hold = Hold(
            around,
            gate,
            evaluation,
            artifacts=self._findings.paths,
            progress=self.progress,
            account=self.account,
            hurry=self._hurry,
            adopted=adopted,
        )

    @property
    def sandbox_id(self) -> str | None:
        """The sandbox that is this attempt's, or is still to be adopted."""
        return self._hold.sandbox_id

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
        sandbox = self._hold.sandbox
        if sandbox is None or self.progress.phase is not Phase.RUNNING:
            raise not_running(self.evaluation, self.progress.phase)
        return await sandbox.exec(program)

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
            self._hold.abandon()
            if verdict.outcome is Outcome.INFRA_ERROR:
                # Its sandbox may run on, and recording may have to wait for room on the disk.
                self._kill_soon()
            self.progress.enter(Phase.RECORDING)
            await self._recording.end(verdict, outage=self._outage)
        except asyncio.CancelledError:
            if not self._hold.begun:
                await self._recording.give_back()
                await self._hold.destroy()
            raise
        finally:
            if self._last_look is not None:
                await _ended(self._last_look)
            await self._hold.stop_killing()
        self.progress.enter(Phase.REMOVING)
        await self._hold.destroy()

    async def _verdict(self) -> Verdict:
        ended = None
        try:
            ended = await self._live() if self._cause is None else None
        except ImageBuildError as error:
            if self._cause is None:
                # The task's own set-up is to blame: what the box has no part in.
                return _task_error(error)
        except EngineError as error:
            if self._cause is None:
                return self._infra(error)
        except InvalidInput as error:
            if self._cause is None:
                # Its image or user cannot be: another try would find the same.
                return _task_error(error)
        except EvalboxError as error:
            if self._cause is None:
                return Verdict(Outcome.INFRA_ERROR, reason=error.message)
        if ended is not None:
            self._gate.succeeded()
        return decide(self._cause, ended, self._limits, self._recording.usage)

    async def _live(self) -> Exit | None:
        """From the start to the end; None where a stop kept it from starting, or from ending."""
        # An adopted attempt has all the time that its engine takes to come back.
        deadline = None if self._adopted else START_DEADLINE
        try:
            async with asyncio.timeout(deadline) as self._scope:
                sandbox = await self._start()
                if sandbox is None:
                    self._cause = self._cause or Outcome.CANCELLED
                if sandbox is None or self._cause:
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

    async def _start(self) -> Sandbox | None:
        """The sandbox, launched; None where the attempt is not to begin any more."""
        if self._adopted is None:
            return await self._hold.make()
        if self._adopted.sandbox_id is None:
            # As in an outage: it is counted, and costs no try until that has happened often.
            self._outage = True
            raise EvalboxError("evalbox stopped before the sandbox was started")
        await self.transcript.take_over()
        await self._steps.take_over()
        return await self._hold.adopt(self._adopted.sandbox_id)

    async def _supervise(self, sandbox: Sandbox) -> Exit:
        """Follows the sandbox to its end, which a stop brings about by killing it."""
        self._launched = True
        self.progress.enter(Phase.RUNNING)
        left = self._time_left()
        self._hurry(left + COLLECT_DEADLINE + END_DEADLINE)
        self._deadline.set(asyncio.get_running_loop().time() + left)
        sampler = self._around.sampler
        sampler.watch(*self.key, sandbox.usage)
        collection = None
        try:
            if self._findings.paths:
                collection = self._start_collecting(sandbox)
            async for chunk in sandbox.output(self.transcript.seen()):
                if chunk.stream is Stream.STDERR:
                    await self._steps.follow(chunk.data)
                await self.transcript.keep(chunk)
                if self.transcript.truncated:
                    self.stop(Outcome.OUTPUT_LIMIT)
            # It has ended: whatever is left to do is not the task's time any more.
            self._deadline.clear()
            if collection is not None:
                self._recording.artifacts = await collection
            self._last = await sandbox.usage()
            return await sandbox.wait()
        finally:
            self._deadline.clear()
            self._recording.usage = sampler.unwatch(*self.key, self._last)
            if collection is not None:
                await _ended(collection)

    def _start_collecting(self, sandbox: Sandbox) -> asyncio.Task[Sequence[ArtifactRecord]]:
        def collected(task: asyncio.Task[Sequence[ArtifactRecord]]) -> None:
            # The sandbox ends when its artifacts have been read; where they will not be, it must
            # not wait for that.
            if not task.cancelled() and task.exception() is not None:
                self._kill_soon()

        collection = asyncio.create_task(self._collection.keep(sandbox), name="artifacts")
        collection.add_done_callback(collected)
        return collection

    def _expire(self) -> None:
        if self._adopted is None:
            self.stop(Outcome.TIMEOUT)
        else:
            self._last_look = asyncio.create_task(self._stop_unless_ended(), name="last-look")

    async def _stop_unless_ended(self) -> None:
        if not await self._hold.ends_within(ADOPTION_GRACE) and self._deadline.passed:
            self.stop(Outcome.TIMEOUT)

    def _infra(self, error: EngineError) -> Verdict:
        if self._adopted is None or not isinstance(error, SandboxGone):
            self._gate.failed(error)
        self._outage = isinstance(error, EngineUnavailable)
        log.warning("infra error", error=error.message)
        return Verdict(Outcome.INFRA_ERROR, reason=error.message)

    def _hurry(self, seconds: float | None) -> None:
        """What is under way gets so much time from now on, or with None, unless it is to stop, all
        that it takes.
        """
        if self._scope is None or self._scope.expired():
            return
        if seconds is not None:
            self._scope.reschedule(asyncio.get_running_loop().time() + seconds)
        elif self._cause is None:
            self._scope.reschedule(None)

    def _kill_soon(self) -> None:
        def killed() -> None:
            if self._cause is not None:
                self._hurry(LAST_WORDS)

        self._hold.kill_soon(killed)

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


def _task_error(error: EvalboxError) -> Verdict:
    return Verdict(Outcome.TASK_ERROR, reason=error.message.partition("\n")[0])


async def _ended(task: asyncio.Task[Any]) -> None:
    """Returns when the task has ended, which it is told to do at once."""
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
