"""What is told of attempts to those who watch the box: figures, and spans of a trace."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from evalbox.domain.attempt import Attempt, Usage, Verdict
from evalbox.domain.clock import Clock
from evalbox.domain.evaluation import Evaluation
from evalbox.domain.outcome import Outcome
from evalbox.scheduler.transcript import Transcript
from evalbox.telemetry import traces
from evalbox.telemetry.metrics import LONG, Counter, Histogram, Reading


class AttemptMeters:
    """Of all attempts of a scheduler."""

    def __init__(self) -> None:
        self.wait = Histogram(
            "queue_wait_seconds",
            "From when an evaluation was due to its first claim.",
            ("priority",),
            bounds=LONG,
        )
        self.start = Histogram(
            "attempt_start_seconds",
            "From the claim until the sandbox was launched.",
            ("engine", "sandbox"),
            bounds=LONG,
        )
        self.first_output = Histogram(
            "attempt_first_output_seconds",
            "From the launch to the first byte of output.",
            ("engine",),
            bounds=LONG,
        )
        self.run = Histogram(
            "attempt_run_seconds",
            "From the launch to the verdict.",
            ("engine", "outcome"),
            bounds=LONG,
        )
        self.phase = Histogram(
            "attempt_phase_seconds",
            "What an attempt's time went into.",
            ("phase",),
            bounds=LONG,
        )
        self.ended = Counter(
            "attempts_ended", "Attempts, by how they ended.", ("engine", "outcome")
        )
        self.sandboxes = Counter(
            "warm_pool_requests",
            "Sandboxes that attempts asked the warm pool for: hit is one that was ready.",
            ("engine", "result"),
        )
        self.cpu = Counter("attempt_cpu_seconds", "Core-seconds that attempts used.", ("engine",))
        self.output = Counter("attempt_output_bytes", "Bytes of output kept.", ("engine",))

    def expect(self, engine: str) -> None:
        """What may come of an engine is there as none, so that the first is seen to come."""
        for outcome in Outcome:
            self.ended.add(0, engine, str(outcome))
        for result in ("hit", "miss"):
            self.sandboxes.add(0, engine, result)

    def readings(self) -> list[Reading]:
        return [
            instrument.read()
            for instrument in (
                self.wait,
                self.start,
                self.first_output,
                self.run,
                self.phase,
                self.ended,
                self.sandboxes,
                self.cpu,
                self.output,
            )
        ]


class Account:
    """Of one attempt. Times are of the clock that records are made by: an attempt that is adopted
    began in another process."""

    def __init__(
        self, meters: AttemptMeters, clock: Clock, evaluation: Evaluation, adopted: Attempt | None
    ) -> None:
        self._meters = meters
        self._clock = clock
        self._evaluation = evaluation
        self._engine = evaluation.spec.engine
        self._claimed_at = adopted.claimed_at if adopted else evaluation.updated_at
        self._launched_at = adopted.started_at if adopted else None
        self._adopted = adopted is not None
        self._verdict: Verdict | None = None

    @contextmanager
    def open(self) -> Iterator[None]:
        """Around the whole attempt. Its span belongs to what asked for the evaluation."""
        trace = self._evaluation.spec.trace
        if not self._adopted:
            self._tell_wait(trace)
        with traces.span(
            "attempt",
            parent=trace,
            since=None if self._adopted else self._claimed_at,
            attributes=self._attributes(),
        ) as span:
            try:
                yield
            finally:
                self._tell_end(span)

    def _tell_end(self, span: traces.Span) -> None:
        verdict = self._verdict
        # What was let go without one is adopted by the next process.
        span.set({"evalbox.outcome": str(verdict.outcome) if verdict else "left"})
        if verdict is not None and verdict.outcome is Outcome.INFRA_ERROR:
            span.fail(verdict.reason)

    def _tell_wait(self, trace: str) -> None:
        """Of a further attempt it is not known since when it was due."""
        evaluation = self._evaluation
        if evaluation.attempts != 1:
            return
        due = max(evaluation.created_at, evaluation.spec.not_before or 0.0)
        due = min(due, self._claimed_at)
        priority = evaluation.spec.priority.name.lower()
        self._meters.wait.observe(self._claimed_at - due, priority)
        traces.past("queue", due, self._claimed_at, parent=trace, attributes=self._attributes())

    def _attributes(self) -> dict[str, traces.Value]:
        return {
            "evalbox.evaluation": self._evaluation.id,
            "evalbox.attempt": self._evaluation.attempts,
            "evalbox.engine": self._engine,
            "evalbox.adopted": self._adopted,
        }

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        began = self._clock.monotonic()
        try:
            with traces.span(name):
                yield
        finally:
            self._meters.phase.observe(self._clock.monotonic() - began, name)

    def collected(self, since: float) -> None:
        """The artifacts began to come at ``since``, in seconds since 1970, and are there."""
        now = self._clock.now()
        self._meters.phase.observe(max(0.0, now - since), "artifacts")
        traces.past("artifacts", since, now)

    def took(self, *, warm: bool) -> None:
        """A sandbox, ready-made or not."""
        self._meters.sandboxes.add(1, self._engine, "hit" if warm else "miss")

    def launched(self, *, warm: bool) -> None:
        """What the sandbox is for has begun."""
        self._launched_at = self._clock.now()
        taken = max(0.0, self._launched_at - self._claimed_at)
        self._meters.start.observe(taken, self._engine, "warm" if warm else "cold")

    def ended(self, verdict: Verdict, usage: Usage, transcript: Transcript) -> None:
        self._verdict = verdict
        meters, engine, outcome = self._meters, self._engine, str(verdict.outcome)
        meters.ended.add(1, engine, outcome)
        meters.cpu.add(usage.cpu_seconds, engine)
        meters.output.add(transcript.bytes, engine)
        if self._launched_at is None:
            return
        meters.run.observe(max(0.0, self._clock.now() - self._launched_at), engine, outcome)
        if transcript.first_at is not None:
            spoke = max(0.0, transcript.first_at - self._launched_at)
            meters.first_output.observe(spoke, engine)
