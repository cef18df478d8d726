"""One sandbox that is kept for programs to run in: from its start, or its adoption, to its end."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from evalbox.domain.clock import Clock
from evalbox.domain.limits import Limits
from evalbox.domain.quantity import format_size
from evalbox.domain.sandbox import BoxSandbox, SandboxEnd, SandboxState
from evalbox.engines.base import Exit, Launch, Profile, Sandbox
from evalbox.engines.execution import IDLE
from evalbox.errors import EngineError, EngineUnavailable, SandboxGone
from evalbox.scheduler.beside import Beside
from evalbox.scheduler.gate import Gate
from evalbox.scheduler.pool import WarmPool

LABEL_SANDBOX = "evalbox.sandbox"
#: Seconds that a start may take, and that a user waits for a sandbox that is yet to be adopted.
START_DEADLINE = 120.0
_ADOPTION_PATIENCE = 10.0
#: Seconds between two tries to hear of a sandbox from an engine that fails.
_PAUSE = 0.5


class Resident:
    """``record`` is what the store has of it. ``gate`` is its engine's."""

    def __init__(self, record: BoxSandbox, gate: Gate, clock: Clock) -> None:
        self.record = record
        self.gate = gate
        self.used_at = record.last_used_at
        self.sandbox: Sandbox | None = None
        #: Set once its end has been decided, and why.
        self.end: SandboxEnd | None = None
        #: Looks after it, and ends it; owned by ``Residents``.
        self.task: asyncio.Task[None] | None = None
        self.gone = asyncio.Event()
        self._clock = clock
        self._ready = asyncio.Event()
        self._beside = Beside(f"sandbox {record.short_id}")

    @property
    def limits(self) -> Limits:
        return self.record.spec.limits

    @property
    def engine_id(self) -> str | None:
        """Its sandbox, or the one that is still to be adopted."""
        return self.sandbox.id if self.sandbox else self.record.engine_id

    def due(self, now: float) -> SandboxEnd | None:
        """Why it is to end now, if it is."""
        if self._beside.count:
            self.used_at = now
        if now >= self.record.deadline:
            return SandboxEnd.DEADLINE
        idle = self.record.spec.idle_timeout
        if idle is not None and now >= self.used_at + idle:
            return SandboxEnd.IDLE
        return None

    async def start(self, pool: WarmPool) -> str:
        """Makes it, and has it wait for programs; its id for the engine. Raises ``EngineError``."""
        spec = self.record.spec
        try:
            async with asyncio.timeout(START_DEADLINE):
                await self.gate.pass_through()
                image = await self.gate.engine.image(spec.image)
                labels, name = {LABEL_SANDBOX: self.record.id}, f"sandbox-{self.record.short_id}"
                profile = Profile(image.id, spec.user, spec.workdir, spec.network, spec.limits)
                while True:
                    sandbox, warm = await pool.acquire(self.gate, profile, labels, name)
                    self.sandbox = sandbox
                    try:
                        await sandbox.launch(Launch(IDLE, spec.workdir))
                    except SandboxGone:
                        if not warm:
                            raise
                        # It died while it waited, which is nobody's failure.
                        with suppress(EngineError):
                            await sandbox.destroy()
                        continue
                    self.gate.succeeded()
                    return sandbox.id
        except TimeoutError:
            raise EngineError(f"it was not started within {START_DEADLINE:.0f} s") from None

    def ready(self, record: BoxSandbox) -> None:
        """It is recorded and runs: programs may come."""
        self.record = record
        self._ready.set()

    async def live(self) -> tuple[SandboxEnd, str]:
        """Until it ends by itself: why. An engine that is down is waited for."""
        while True:
            try:
                sandbox = self.sandbox or await self._adopt()
                return _cause(await sandbox.wait(), self.limits)
            except SandboxGone as error:
                return SandboxEnd.DIED, error.message
            except EngineError as error:
                self.sandbox = None
                self._ready.clear()
                self.gate.failed(error)
                await asyncio.sleep(_PAUSE)
                await self.gate.opened()

    async def over_its_disk(self) -> bool:
        """Whether it has written more than it may."""
        if self.sandbox is None or self.end is not None:
            return False
        with suppress(EngineError):
            usage = await self.sandbox.usage()
            return usage is not None and usage.disk > self.limits.disk
        return False

    async def opened(self) -> Sandbox:
        """The sandbox, which may first have to be adopted. Raises ``EngineUnavailable``."""
        try:
            async with asyncio.timeout(_ADOPTION_PATIENCE):
                await self._ready.wait()
        except TimeoutError:
            reason = self.gate.reason or "the sandbox is not there yet"
            raise EngineUnavailable(f"engine {self.gate.engine.name}: {reason}") from None
        if self.sandbox is None:
            raise SandboxGone(f"sandbox {self.record.short_id} has ended")
        return self.sandbox

    @contextmanager
    def in_use(self) -> Iterator[None]:
        """While it is used it is not idle. Raises ``Busy`` where too much runs in it."""
        with self._beside.place():
            self.used_at = self._clock.now()
            try:
                yield
            finally:
                self.used_at = self._clock.now()

    async def destroy(self) -> None:
        """What cannot be removed now is when the gate of its engine opens again."""
        self._ready.set()
        sandbox, self.sandbox = self.sandbox, None
        if sandbox is None:
            if self.record.engine_id is None:
                return
            try:
                sandbox = await self.gate.engine.adopt(self.record.engine_id)
            except SandboxGone:
                return
            except EngineError as error:
                self.gate.failed(EngineUnavailable(error.message, hint=error.hint))
                return
        try:
            await sandbox.destroy()
        except EngineError as error:
            self.gate.failed(EngineUnavailable(error.message, hint=error.hint))

    async def _adopt(self) -> Sandbox:
        await self.gate.opened()
        if self.record.engine_id is None:
            raise SandboxGone("the sandbox was never started")
        sandbox = await self.gate.engine.adopt(self.record.engine_id)
        await sandbox.launch(Launch(IDLE, self.record.spec.workdir))
        self.sandbox = sandbox
        if self.record.state is SandboxState.RUNNING:
            self._ready.set()
        return sandbox


def _cause(how: Exit, limits: Limits) -> tuple[SandboxEnd, str]:
    if how.oom_killed:
        limit = format_size(limits.memory)
        return SandboxEnd.OUT_OF_MEMORY, f"it used more memory than its limit of {limit}"
    code = "" if how.code is None else f" with exit code {how.code}"
    return SandboxEnd.DIED, how.error or f"its main process ended{code}"
