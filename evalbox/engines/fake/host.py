"""Where fake sandboxes live: what a Docker engine is to its clients."""

from __future__ import annotations

import asyncio
import secrets
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from evalbox.domain.attempt import Usage
from evalbox.engines.base import Chunk, Exit, Launch, Profile, Stream
from evalbox.engines.fake.language import (
    AskTerminal,
    Copy,
    CrashEngine,
    End,
    Exhaust,
    Fail,
    Print,
    Sleep,
    Step,
    Use,
    Vanish,
    Write,
)
from evalbox.errors import EngineUnavailable, SandboxGone

if TYPE_CHECKING:
    from evalbox.engines.fake.execution import FakeExecution

KILLED = Exit(code=137, signal=9)
OUT_OF_MEMORY = Exit(code=137, oom_killed=True)


@dataclass(slots=True, eq=False)
class FakeState:
    """All there is to a fake sandbox. ``exit`` is set once its main process has ended.

    ``command_exit`` is set before that where artifacts are still to be streamed out. ``wake_at``
    is set, in the clock's monotonic seconds, while the command sleeps, ``slept_at`` to when that
    began, and ``cores`` to what is in use meanwhile.
    """

    id: str
    profile: Profile
    labels: Mapping[str, str]
    name: str | None
    launch: Launch | None = None
    run: int = 0
    steps: Sequence[Step] = ()
    position: int = 0
    wake_at: float | None = None
    slept_at: float = 0.0
    cores: float = 0.0
    output: list[Chunk] = field(default_factory=list)
    files: dict[str, bytes] = field(default_factory=dict)
    stdin: bytes = b""
    cpu_seconds: float = 0.0
    memory: int = 0
    memory_peak: int = 0
    disk: int = 0
    command_exit: Exit | None = None
    exit: Exit | None = None
    gone: bool = False
    executions: set[FakeExecution] = field(default_factory=set)
    _waiting: list[asyncio.Future[None]] = field(default_factory=list)

    async def change(self) -> None:
        """Waits until something may have changed."""
        future = asyncio.get_running_loop().create_future()
        self._waiting.append(future)
        try:
            await future
        finally:
            self._waiting.remove(future)

    def wake(self) -> None:
        for future in self._waiting:
            if not future.done():
                future.set_result(None)

    def path(self, name: str) -> str:
        """A path as the sandbox sees it, made absolute."""
        workdir = self.launch.workdir if self.launch else self.profile.workdir
        return str(PurePosixPath(workdir, name))

    def end(self, how: Exit) -> None:
        """The main process ends, and with it everything else. The first end counts."""
        if self.exit is None:
            self.exit = how
            self.command_exit = self.command_exit or how
            self.memory = 0
            self.end_executions()
            self.wake()

    def end_executions(self) -> None:
        for execution in list(self.executions):
            execution.end(None)

    def end_command(self, how: Exit) -> None:
        self.command_exit = how
        if self.launch is not None and self.launch.artifacts and not how.oom_killed:
            self.wake()
        else:
            self.end(how)

    def usage(self, now: float) -> Usage:
        working = self.cores * (now - self.slept_at) if self.wake_at is not None else 0.0
        return Usage(
            cpu_seconds=self.cpu_seconds + max(0.0, working),
            memory=self.memory,
            memory_peak=self.memory_peak,
            pids=0 if self.exit else 1,
            disk=self.disk,
        )


class FakeHost:
    """Holds the sandboxes of any number of engines, and the levers for making things go wrong.

    ``created`` counts the sandboxes ever made, ``peak`` the most that were there at once, and
    ``runs`` the launches of each command. Images whose reference contains ``no-such`` do not
    exist; all others do, but those that are built must have been ``kept``: by name, their files.
    """

    def __init__(self) -> None:
        self.sandboxes: dict[str, FakeState] = {}
        # No sandbox of another process is to be taken for one of this host's.
        self._name = secrets.token_hex(4)
        self.created = 0
        self.peak = 0
        self.runs: Counter[tuple[str, ...]] = Counter()
        self.kept: dict[str, dict[str, bytes]] = {}
        self._down = False

    @property
    def down(self) -> bool:
        """While True every call raises ``EngineUnavailable``; the sandboxes live on."""
        return self._down

    @down.setter
    def down(self, down: bool) -> None:
        self._down = down
        for state in self.sandboxes.values():
            state.wake()

    def check(self) -> None:
        if self._down:
            raise EngineUnavailable("the fake engine is down", hint="set engine.down = False")

    def add(self, profile: Profile, labels: Mapping[str, str], name: str | None) -> FakeState:
        if name is not None:
            for state in [state for state in self.sandboxes.values() if state.name == name]:
                self.remove(state.id)
        self.created += 1
        state = FakeState(f"fake-{self._name}-{self.created}", profile, labels, name)
        state.files.update(self.kept.get(profile.image, {}))
        self.sandboxes[state.id] = state
        self.peak = max(self.peak, len(self.sandboxes))
        return state

    def remove(self, sandbox_id: str) -> None:
        state = self.sandboxes.pop(sandbox_id, None)
        if state is not None:
            state.end(KILLED)

    def keep(self, sandbox_id: str, image: str) -> None:
        """Makes an image of what a sandbox holds."""
        state = self.sandboxes.get(sandbox_id)
        if state is None or state.exit is not None:
            raise SandboxGone(f"the fake sandbox {sandbox_id} has ended")
        self.kept[image] = dict(state.files)

    def vanish(self, sandbox_id: str) -> None:
        """The sandbox is there no longer, and nobody knows how it ended."""
        state = self.sandboxes.pop(sandbox_id, None)
        if state is not None:
            state.gone = True
            state.end_executions()
            state.wake()

    def advance(self, state: FakeState, now: float) -> float | None:
        """Runs the command on, up to its end (None) or its next sleep (the seconds left of it)."""
        while state.command_exit is None and not state.gone:
            if state.wake_at is not None:
                if now < state.wake_at:
                    return state.wake_at - now
                state.wake_at = None
                slept = state.steps[state.position]
                if isinstance(slept, Sleep) and slept.cores:
                    state.cpu_seconds += slept.cores * slept.seconds
                state.position += 1
            elif state.position == len(state.steps):
                state.end_command(Exit(code=0))
            else:
                step = state.steps[state.position]
                if isinstance(step, Sleep):
                    state.wake_at = now + step.seconds
                    state.slept_at, state.cores = now, step.cores
                else:
                    state.position += 1
                    self._perform(state, step)
        return None

    def _perform(self, state: FakeState, step: Step) -> None:
        match step:
            case Print(stream, data):
                _print(state, stream, data)
            case Copy(path):
                _copy(state, path)
            case Write(path, data):
                state.files[state.path(path)] = data
                state.disk += len(data)
            case Use(cpu_seconds, memory, disk):
                _use(state, cpu_seconds, memory, disk)
            case Exhaust():
                _use(state, 0.0, state.profile.limits.memory + 1, 0)
            case End(how):
                state.end_command(how)
            case AskTerminal():
                # It never has one.
                _print(state, Stream.STDOUT, b"not a tty\n")
                state.end_command(Exit(code=1))
            case Fail(times, how) if state.run <= times:
                state.end_command(how)
            case Vanish():
                self.vanish(state.id)
            case CrashEngine():
                self.down = True
            case _:
                pass


def _print(state: FakeState, stream: Stream, data: bytes) -> None:
    if data:
        state.output.append(Chunk(stream, data))
        state.wake()


def _copy(state: FakeState, path: str | None) -> None:
    data = state.stdin if path is None else state.files.get(state.path(path))
    if data is None:
        _print(state, Stream.STDERR, f"cat: {path}: no such file\n".encode())
        state.end_command(Exit(code=1))
    else:
        _print(state, Stream.STDOUT, data)


def _use(state: FakeState, cpu_seconds: float, memory: int, disk: int) -> None:
    state.cpu_seconds += cpu_seconds
    state.memory = memory or state.memory
    state.disk = disk or state.disk
    limit = state.profile.limits.memory
    state.memory_peak = min(limit, max(state.memory_peak, state.memory))
    if state.memory > limit:
        state.end_command(OUT_OF_MEMORY)
