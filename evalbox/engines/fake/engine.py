"""The fake engine and its sandboxes."""

from __future__ import annotations

import asyncio
import io
import math
import tarfile
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from pathlib import Path, PurePosixPath

from evalbox.domain.attempt import Usage
from evalbox.domain.building import BUILT
from evalbox.domain.check import Check
from evalbox.domain.clock import Clock, SystemClock
from evalbox.domain.image import Image
from evalbox.engines.base import (
    LABEL_BOX,
    Chunk,
    Exit,
    Launch,
    Profile,
    Sandbox,
    SandboxInfo,
    Stream,
)
from evalbox.engines.execution import Exec, Execution, FileAccess
from evalbox.engines.fake.execution import FakeExecution, FakeFiles
from evalbox.engines.fake.host import KILLED, FakeHost, FakeState
from evalbox.engines.fake.images import FakeImages
from evalbox.engines.fake.language import Behaviour, Break, CrashEngine, interpret
from evalbox.errors import EngineError, ImageNotFound, SandboxGone

PIECE = 64 * 1024


class FakeEngine:
    """Interprets commands instead of running them; costs microseconds.

    ``host`` (default: one of its own) holds the sandboxes, so that a second engine on the same
    host can adopt what a first one left. ``sleep`` waits in place of ``asyncio.sleep``: give one
    that moves a manual clock, and nothing waits. ``behaviour`` turns a launch into steps, and
    ``programs`` what is run beside it.
    ``create_seconds`` is what making a sandbox takes.
    """

    name = "fake"

    def __init__(
        self,
        *,
        host: FakeHost | None = None,
        clock: Clock | None = None,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
        behaviour: Behaviour = interpret,
        warmable: bool = True,
        create_seconds: float = 0.0,
        programs: Behaviour = interpret,
    ) -> None:
        self.host = host or FakeHost()
        self.warmable = warmable
        self._clock = clock or SystemClock()
        self._sleep = sleep
        self._behaviour = behaviour
        self._programs = programs
        self._create_seconds = create_seconds
        self.images = FakeImages(self.host.kept)
        self._failures: list[EngineError] = []
        self._runners: dict[str, asyncio.Task[None]] = {}

    # --- making things go wrong ---

    def fail_next(self, count: int = 1, error: EngineError | None = None) -> None:
        """The next ``count`` calls of ``create`` raise ``error``."""
        self._failures += [error or EngineError("the fake engine was told to fail")] * count

    @property
    def down(self) -> bool:
        """While True every call on this engine's host raises ``EngineUnavailable``."""
        return self.host.down

    @down.setter
    def down(self, down: bool) -> None:
        self.host.down = down

    def vanish(self, sandbox_id: str) -> None:
        """The sandbox is gone without a trace: its callers get ``SandboxGone``."""
        self.host.vanish(sandbox_id)

    # --- the engine protocol ---

    async def check(self, image: str | None = None) -> Sequence[Check]:
        checks = [Check("fake engine", "ok", "in memory; commands are never really run")]
        try:
            await self.ping()
            if image is not None:
                await self.image(image)
        except (EngineError, ImageNotFound) as error:
            checks.append(Check("fake sandbox", "failure", error.message, error.hint))
        return checks

    async def ping(self) -> None:
        self.host.check()

    async def image(self, reference: str) -> Image:
        self.host.check()
        kept = self.host.kept.get(reference)
        if "no-such" in reference or (kept is None and reference.startswith(BUILT)):
            raise ImageNotFound(f"no image {reference!r} on the fake engine")
        size = sum(map(len, kept.values())) if kept else 0
        return Image(id=reference, digest=f"fake:{reference}", names=(reference,), size=size)

    async def provide(self, reference: str, progress: Callable[[str], None]) -> Image:
        return await self.image(reference)

    async def keep_image(
        self, sandbox: Sandbox, name: str, *, labels: Mapping[str, str], most: int, at: Path
    ) -> Image:
        self.host.check()
        self.host.keep(sandbox.id, name)
        self.images.keep(name)
        return await self.image(name)

    async def drop_image(self, name: str) -> None:
        await self.image(name)
        await self.images.remove(name)

    async def create(
        self, profile: Profile, *, labels: Mapping[str, str], name: str | None = None
    ) -> Sandbox:
        self.host.check()
        if self._failures:
            raise self._failures.pop(0)
        await self.image(profile.image)
        if self._create_seconds:
            await self._sleep(self._create_seconds)
            self.host.check()
        return FakeSandbox(self, self.host.add(profile, labels, name))

    async def list(self, box: str) -> Sequence[SandboxInfo]:
        self.host.check()
        return [
            SandboxInfo(state.id, state.exit is None, state.labels)
            for state in self.host.sandboxes.values()
            if state.labels.get(LABEL_BOX) == box
        ]

    async def adopt(self, sandbox_id: str) -> Sandbox:
        self.host.check()
        state = self.host.sandboxes.get(sandbox_id)
        if state is None:
            raise SandboxGone(f"the fake sandbox {sandbox_id} is gone")
        if state.launch is not None:
            self.start(state)
        return FakeSandbox(self, state)

    async def reap(self, box: str, keep: frozenset[str]) -> int:
        doomed = [info.id for info in await self.list(box) if info.id not in keep]
        for sandbox_id in doomed:
            self.remove(sandbox_id)
        return len(doomed)

    async def close(self) -> None:
        runners = list(self._runners.values())
        for runner in runners:
            runner.cancel()
        for state in self.host.sandboxes.values():
            state.end_executions()
        await asyncio.gather(*runners, return_exceptions=True)

    # --- for its sandboxes ---

    def now(self) -> float:
        return self._clock.monotonic()

    def accept(self, state: FakeState, launch: Launch) -> None:
        """Notes what the sandbox becomes, or raises what the launch is to raise."""
        state.run = self.host.runs[launch.command] = self.host.runs[launch.command] + 1
        steps = self._behaviour(launch)
        for step in steps:
            if isinstance(step, CrashEngine):
                self.down = True
                self.host.check()
            if isinstance(step, Break) and (step.times is None or state.run <= step.times):
                raise EngineError("the fake sandbox could not be launched")
        state.launch, state.steps = launch, steps

    def start(self, state: FakeState) -> None:
        """Runs the command to its end, in the background from its first sleep on."""
        if self.host.advance(state, self._clock.monotonic()) is None:
            return
        if state.id not in self._runners:
            runner = asyncio.get_running_loop().create_task(self._run(state))
            self._runners[state.id] = runner
            runner.add_done_callback(lambda _: self._runners.pop(state.id, None))

    def execute(self, state: FakeState, program: Exec) -> FakeExecution:
        return FakeExecution(state, program, self._sleep, self._programs)

    def remove(self, sandbox_id: str) -> None:
        self.host.remove(sandbox_id)
        self.stop(sandbox_id)

    def stop(self, sandbox_id: str) -> None:
        runner = self._runners.get(sandbox_id)
        if runner is not None:
            runner.cancel()

    async def _run(self, state: FakeState) -> None:
        while (left := self.host.advance(state, self._clock.monotonic())) is not None:
            if math.isinf(left):
                await asyncio.get_running_loop().create_future()
            await self._sleep(left)
            # What the sleep says counts, even where the clock stands still.
            state.wake_at = -math.inf


class FakeSandbox:
    def __init__(self, engine: FakeEngine, state: FakeState) -> None:
        self._engine = engine
        self._state = state

    @property
    def id(self) -> str:
        return self._state.id

    async def prepare(self, launch: Launch) -> None:
        self._check()

    async def launch(self, launch: Launch) -> None:
        self._check()
        state = self._state
        if state.launch is not None or state.exit is not None:
            return
        if launch.files or launch.stdin:
            await asyncio.to_thread(_load, state, launch)
        self._engine.accept(state, launch)
        self._engine.start(state)

    async def output(self, skip: Mapping[Stream, int] | None = None) -> AsyncIterator[Chunk]:
        state, position = self._state, 0
        left = dict(skip) if skip else {}
        while True:
            self._check()
            while position < len(state.output):
                chunk = state.output[position]
                position += 1
                if left:
                    chunk = _skip(chunk, left)
                if chunk.data:
                    yield chunk
            if state.exit is not None:
                return
            await state.change()

    async def artifacts(self) -> AsyncIterator[bytes]:
        state = self._state
        while state.command_exit is None:
            self._check()
            await state.change()
        self._check()
        if state.exit is None and state.launch is not None:
            archive = _archive(state, state.launch.artifacts)
            for start in range(0, len(archive), PIECE):
                yield archive[start : start + PIECE]
            state.end(state.command_exit)

    async def wait(self) -> Exit:
        while True:
            self._check()
            if self._state.exit is not None:
                return self._state.exit
            await self._state.change()

    async def usage(self) -> Usage | None:
        self._engine.host.check()
        return None if self._state.gone else self._state.usage(self._engine.now())

    async def exec(self, program: Exec) -> Execution:
        program.check()
        self._check()
        if self._state.exit is not None:
            raise SandboxGone(f"the fake sandbox {self._state.id} has ended")
        return self._engine.execute(self._state, program)

    @property
    def files(self) -> FileAccess:
        return FakeFiles(self._state, self._check)

    async def kill(self) -> None:
        self._check()
        self._state.end(KILLED)
        self._engine.stop(self._state.id)

    async def destroy(self) -> None:
        self._engine.host.check()
        self._engine.remove(self._state.id)

    def _check(self) -> None:
        self._engine.host.check()
        if self._state.gone:
            raise SandboxGone(f"the fake sandbox {self._state.id} is gone")


def _load(state: FakeState, launch: Launch) -> None:
    for file in launch.files:
        state.files[file.path] = file.source.read_bytes()
    if launch.stdin is not None:
        state.stdin = launch.stdin.source.read_bytes()


def _skip(chunk: Chunk, left: dict[Stream, int]) -> Chunk:
    cut = min(left.get(chunk.stream, 0), len(chunk.data))
    if cut:
        left[chunk.stream] -= cut
        return Chunk(chunk.stream, chunk.data[cut:])
    return chunk


def _archive(state: FakeState, paths: Sequence[str]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for path in paths:
            wanted = PurePosixPath(state.path(path))
            for name, data in state.files.items():
                if not PurePosixPath(name).is_relative_to(wanted):
                    continue
                beneath = PurePosixPath(name).relative_to(wanted)
                member = tarfile.TarInfo(str(PurePosixPath(path.lstrip("/"), beneath)))
                member.size = len(data)
                archive.addfile(member, io.BytesIO(data))
    return buffer.getvalue()
