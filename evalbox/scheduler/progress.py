"""What an attempt under way is at, from memory."""

from __future__ import annotations

from enum import StrEnum

from evalbox.domain.activity import Activity
from evalbox.domain.attempt import Usage
from evalbox.domain.clock import Clock
from evalbox.domain.evaluation import Evaluation
from evalbox.scheduler.transcript import Transcript

#: Seconds over which the cores in use are told. Over less, the kernel's own steps would show.
_SPAN = 1.0


class Phase(StrEnum):
    """In the words that people are told."""

    ADOPTING = "waiting to be adopted"
    WAITING = "waiting for the engine"
    BUILDING = "building the image"
    FINDING = "finding the image"
    MAKING = "making the sandbox"
    FILLING = "putting files in"
    LAUNCHING = "starting the command"
    RUNNING = "running"
    STOPPING = "being stopped"
    KEEPING = "keeping artifacts"
    SCORING = "reading the score"
    RECORDING = "recording the verdict"
    #: The attempt is over: what is left is not the evaluation's.
    REMOVING = "removing the sandbox"


class Progress:
    """Of one attempt. ``since`` is when it came to its phase, in seconds since 1970.

    While it runs, the ``step`` that its task has come to says more; ``step_since`` is since when.
    """

    def __init__(self, clock: Clock, phase: Phase) -> None:
        self._clock = clock
        self.phase = phase
        self.since = clock.now()
        self.step = ""
        self.step_since = self.since
        self._newest: Usage | None = None
        self._cpu: float | None = None
        # The sample that the cores in use are counted from: when, by the monotonic clock, and the
        # core-seconds until then.
        self._base: tuple[float, float] | None = None

    def enter(self, phase: Phase) -> None:
        if phase is not self.phase:
            self.phase, self.since = phase, self._clock.now()

    def take_step(self, step: str, at: float) -> None:
        """At a time in seconds since 1970."""
        self.step, self.step_since = step, at

    @property
    def told(self) -> tuple[str, float]:
        """What it is at, in words for people, and since when."""
        if self.step and self.phase is Phase.RUNNING:
            return self.step, self.step_since
        return self.phase, self.since

    def measured(self, usage: Usage) -> None:
        self._newest = usage
        now = self._clock.monotonic()
        if self._base is None:
            self._base = now, usage.cpu_seconds
            return
        at, cpu_seconds = self._base
        elapsed = now - at
        # The first figure is told as soon as there are two samples.
        if elapsed >= _SPAN or (self._cpu is None and elapsed > 0):
            self._cpu = max(0.0, usage.cpu_seconds - cpu_seconds) / elapsed
        if elapsed >= _SPAN:
            self._base = now, usage.cpu_seconds

    def activity(self, evaluation: Evaluation, attempt: int, transcript: Transcript) -> Activity:
        newest = self._newest
        phase, since = self.told
        memory, disk, pids = (
            (newest.memory, newest.disk, newest.pids) if newest else (None, None, None)
        )
        return Activity(
            evaluation.id,
            attempt,
            phase,
            since,
            evaluation.spec.limits,
            cpu=self._cpu,
            memory=memory,
            disk=disk,
            pids=pids,
            output_bytes=transcript.bytes,
            last_output_at=transcript.last_at,
        )
