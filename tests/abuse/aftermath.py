"""What must hold after every hostile job, in one place for all of them.

The service answers as fast as before and has not grown; a witness that ran beside the job noticed
nothing; the job has one verdict, in time; five seconds after its end nothing of it is left.
"""

from __future__ import annotations

import asyncio
import gc
import math
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import psutil
import traces

from evalbox.config.settings import Settings
from evalbox.domain.attempt import Attempt
from evalbox.domain.evaluation import Evaluation, EvaluationSpec, InputFile
from evalbox.domain.limits import KIB, MIB, Limits
from evalbox.domain.outcome import Outcome
from evalbox.domain.records import ArtifactRecord
from evalbox.domain.retry import RetryPolicy
from evalbox.domain.state import FINAL
from evalbox.service.local import LocalBox

PROGRAMS = Path(__file__).parent / "programs"
IMAGE = "evalbox/base:latest"
HOME = "/home/agent"
LIMITS = Limits(
    cpus=1.0,
    memory=128 * MIB,
    timeout=4.0,
    disk=32 * MIB,
    pids=64,
    output=256 * KIB,
    artifacts=1 * MIB,
)
#: Seconds beyond its limit in which an attempt must have its verdict.
LATENESS = 2.0
#: Seconds after its end in which all traces of a job must be gone.
TIDY_WITHIN = 5.0
#: Seconds for which the service's event loop may be busy with something else.
LAG = 0.5
#: Seconds that a job which does nothing may take longer than before.
SLOWER = 1.0
#: Bytes by which the service's memory may grow, for a while or for good.
GROWTH = 96 * MIB
#: Seconds without a sign of life from the witness.
SILENCE = 3.0

#: ``artifacts`` are the paths of the specification; their limit is always the same.
_LIMITED = frozenset(Limits.__slots__) - {"artifacts"}
_ENDS = frozenset(f"evaluation.{state}" for state in FINAL)


@dataclass(frozen=True, slots=True)
class Ordeal:
    """What came of a job."""

    evaluation: Evaluation
    attempts: Sequence[Attempt]
    stdout: bytes
    stderr: bytes
    artifacts: Sequence[ArtifactRecord]

    @property
    def outcome(self) -> Outcome | None:
        return self.evaluation.outcome

    @property
    def attempt(self) -> Attempt:
        """The only one."""
        (attempt,) = self.attempts
        return attempt

    @property
    def took(self) -> float:
        """Seconds of the last attempt."""
        last = self.attempts[-1]
        assert last.started_at is not None
        assert last.finished_at is not None
        return last.finished_at - last.started_at

    def __str__(self) -> str:
        """For assertions that fail: all that one wants to know."""
        shown = (self.stdout[-2000:] + self.stderr[-2000:]).decode(errors="replace")
        return f"{self.outcome}: {self.evaluation.reason}, {self.took:.1f} s\n{shown}"


@dataclass(slots=True)
class Lag:
    """How late the event loop was at worst, in seconds."""

    worst: float = 0.0

    @asynccontextmanager
    async def watched(self) -> AsyncIterator[None]:
        """Watches it for the length of a block."""
        watcher = asyncio.create_task(self._watch())
        try:
            yield
        finally:
            watcher.cancel()
            await asyncio.gather(watcher, return_exceptions=True)

    async def _watch(self) -> None:
        while True:
            began = time.perf_counter()
            await asyncio.sleep(0.02)
            self.worst = max(self.worst, time.perf_counter() - began - 0.02)


@dataclass(slots=True)
class Aftermath:
    """``run`` is the whole of it. Made by ``opened``."""

    box: LocalBox
    box_id: str
    data_dir: Path
    usual: float = 0.0
    _witness: str = ""
    _heard: int = 0

    async def run(
        self,
        program: str | Sequence[str],
        *arguments: str,
        **changes: object,
    ) -> Ordeal:
        """Runs a program of ``programs/``, or a command, and checks what every job must leave.

        ``changes`` are fields of the specification, or of its limits.
        """
        (ordeal,) = await self.run_together([await self.spec(program, *arguments, **changes)])
        return ordeal

    async def run_together(self, specs: Sequence[EvaluationSpec]) -> list[Ordeal]:
        """The same for several jobs at once."""

        async def submit() -> list[str]:
            return [evaluation.id for evaluation in await self.box.submit(specs)]

        return await self.after(submit)

    async def after(self, submit: Callable[[], Awaitable[Sequence[str]]]) -> list[Ordeal]:
        """The same for evaluations that ``submit`` brings about; it gives their ids."""
        memory = _Memory.now()
        lag = Lag()
        ids: Sequence[str] = ()
        try:
            async with lag.watched():
                ids = await submit()
                limits = [(await self.box.get(one)).spec.limits.timeout for one in ids]
                async with asyncio.timeout(sum(limits) * 3 + 15):
                    seen = await asyncio.gather(*map(self.sandboxes, ids))
        except BaseException:
            # They must not stand in the way of the tests that follow.
            await self.box.cancel(ids)
            raise
        ordeals = [await self.ordeal(one) for one in ids]
        assert lag.worst < LAG, f"the event loop was busy for {lag.worst:.2f} s"
        memory.check()
        for ordeal, sandboxes in zip(ordeals, seen, strict=True):
            await self.one_verdict(ordeal)
            await self.tidy(sandboxes, since=ordeal.evaluation.finished_at)
        await self.witness_is_well()
        await self._as_fast_as_before()
        return ordeals

    async def spec(
        self, program: str | Sequence[str], *arguments: str, **changes: object
    ) -> EvaluationSpec:
        """The specification that ``run`` would submit."""
        inputs: tuple[InputFile, ...] = ()
        if isinstance(program, str):
            blob, size = await self.box.upload(PROGRAMS / program)
            inputs = (InputFile(f"{HOME}/{program}", blob, size, 0o755),)
            interpreter = "bash" if program.endswith(".sh") else "python3"
            command = (interpreter, f"{HOME}/{program}", *arguments)
        else:
            command = tuple(program)
        limits = {name: changes.pop(name) for name in _LIMITED if name in changes}
        made = EvaluationSpec(
            name=command[-1][:40],
            command=command,
            image=IMAGE,
            inputs=inputs,
            limits=replace(LIMITS, **limits),  # type: ignore[arg-type]
            retry=RetryPolicy(base=0.0, cap=0.0),
        )
        return replace(made, **changes)  # type: ignore[arg-type]

    async def ordeal(self, evaluation_id: str) -> Ordeal:
        pieces = [piece async for piece in self.box.output(evaluation_id)]
        return Ordeal(
            await self.box.get(evaluation_id),
            await self.box.attempts(evaluation_id),
            b"".join(piece.data for piece in pieces if piece.stream == 1),
            b"".join(piece.data for piece in pieces if piece.stream == 2),
            await self.box.artifacts(evaluation_id),
        )

    async def tidy(self, sandboxes: Iterable[traces.Sandbox], *, since: float | None) -> None:
        """Nothing of them is left ``TIDY_WITHIN`` seconds after ``since`` (seconds since 1970)."""
        deadline = (since or time.time()) + TIDY_WITHIN
        while left := await asyncio.to_thread(self._left, list(sandboxes)):
            assert time.time() < deadline, "\n".join(left)
            await asyncio.sleep(0.1)

    def _left(self, sandboxes: list[traces.Sandbox]) -> list[str]:
        left = [trace for sandbox in sandboxes for trace in sandbox.left()]
        known = traces.containers(self.box_id)
        left += [f"container {one.id}" for one in sandboxes if one.id in known]
        left += [f"half-written {path}" for path in traces.half_written([self.data_dir])]
        left += [f"temporary file {path}" for path in Path(tempfile.gettempdir()).iterdir()]
        return left

    async def sandboxes(self, evaluation_id: str) -> list[traces.Sandbox]:
        """Every sandbox that the evaluation gets until its end, looked at while it is there."""
        seen: dict[str, traces.Sandbox] = {}
        while True:
            state = (await self.box.get(evaluation_id)).state
            for attempt in await self.box.attempts(evaluation_id):
                if attempt.sandbox_id and not (
                    attempt.sandbox_id in seen and seen[attempt.sandbox_id].layer
                ):
                    seen[attempt.sandbox_id] = traces.Sandbox.seen(attempt.sandbox_id)
            if state in FINAL:
                return list(seen.values())
            await asyncio.sleep(0.1)

    async def one_verdict(self, ordeal: Ordeal) -> None:
        """It has ended once, and every attempt in time."""
        evaluation = ordeal.evaluation
        assert evaluation.state in FINAL
        assert all(attempt.verdict is not None for attempt in ordeal.attempts)
        events = [event async for event in self.box.events(evaluation_id=evaluation.id)]
        ends = [event.kind for event in events if event.kind in _ENDS]
        assert len(ends) == 1, ends
        limit = evaluation.spec.limits.timeout
        for attempt in ordeal.attempts:
            if attempt.started_at is not None and attempt.finished_at is not None:
                took = attempt.finished_at - attempt.started_at
                assert took <= limit + LATENESS, f"{took:.1f} s, with a limit of {limit:.1f} s"

    async def _as_fast_as_before(self) -> None:
        fastest = math.inf
        # More than once, since something else may use the machine.
        for _ in range(4):
            fastest = min(fastest, await self._time_of_nothing())
            if fastest <= self.usual + SLOWER:
                return
        raise AssertionError(f"doing nothing takes {fastest:.1f} s, not {self.usual:.1f} s")

    async def _time_of_nothing(self) -> float:
        began = time.perf_counter()
        (evaluation,) = await self.box.submit([await self.spec(["true"])])
        async with asyncio.timeout(30):
            ended = await self.box.wait(evaluation.id)
        assert ended.outcome is Outcome.OK, ended.reason
        return time.perf_counter() - began

    async def witness_is_well(self) -> None:
        """It has gone on all the time, in its first attempt, and seen nothing of the others."""
        beats: list[str] = []
        async with asyncio.timeout(SILENCE):
            while not beats:
                beats = await self._hear()
                await asyncio.sleep(0.02)
        for beat in beats:
            number, gap, state = beat.split(" ", 2)
            assert int(number) == self._heard
            assert state == "well", beat
            assert float(gap) < SILENCE, f"the witness stood still for {gap} s"
            self._heard += 1
        assert (await self.box.get(self._witness)).attempts == 1

    async def _hear(self) -> list[str]:
        pieces = [piece.data async for piece in self.box.output(self._witness)]
        whole, _, _ = b"".join(pieces).rpartition(b"\n")
        return whole.decode().splitlines()[self._heard :]

    async def _begin(self) -> None:
        await self._time_of_nothing()
        self.usual = min([await self._time_of_nothing() for _ in range(2)])
        spec = await self.spec("witness.py", timeout=900.0, output=4 * MIB)
        (evaluation,) = await self.box.submit([spec])
        self._witness = evaluation.id
        async with asyncio.timeout(30):
            while not await self._hear():
                await asyncio.sleep(0.05)

    async def _end(self) -> None:
        await self.witness_is_well()
        await self.box.cancel([self._witness])
        ended = await self.box.wait(self._witness)
        assert ended.outcome is Outcome.CANCELLED
        (attempt,) = await self.box.attempts(self._witness)
        assert attempt.sandbox_id is not None
        await self.tidy([traces.Sandbox.seen(attempt.sandbox_id)], since=ended.finished_at)
        assert not traces.containers(self.box_id)


@dataclass(frozen=True, slots=True)
class _Memory:
    """The memory of this process, which is the service, in bytes."""

    resident: int

    @classmethod
    def now(cls) -> _Memory:
        gc.collect()
        # The peak starts anew from here.
        Path("/proc/self/clear_refs").write_text("5")
        return cls(psutil.Process().memory_info().rss)

    def check(self) -> None:
        status = Path("/proc/self/status").read_text()
        peak = int(status.partition("VmHWM:")[2].split()[0]) * KIB
        grown = peak - self.resident
        assert grown < GROWTH, f"the service took {grown // MIB} MiB more"


def settings(data_dir: Path, **changes: object) -> Settings:
    """The machine that runs the tests may be busy; what admission makes of that is not at issue."""
    made = Settings(
        data_dir=data_dir, slots=4, memory_percent=100, disk_free=0, load_per_core=1000, warm=0
    )
    return replace(made, **changes)  # type: ignore[arg-type]


@asynccontextmanager
async def opened(data_dir: Path, *, warm: int = 0) -> AsyncIterator[Aftermath]:
    """A box with a witness in it, and what an undisturbed job takes there."""
    box = await LocalBox.open(settings(data_dir), work=True, warm=warm)
    try:
        made = Aftermath(box, box._store.box_id, data_dir)
        await made._begin()
        yield made
        await made._end()
    finally:
        await box.close(drain=0)
        leftover = traces.containers(box._store.box_id)
        for container in leftover:
            traces.docker().remove_container(container, force=True)
