"""An attempt's hold on its sandbox: from making or adopting it to its removal."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress

from evalbox.domain.attempt import Attempt
from evalbox.domain.evaluation import Evaluation, InputFile
from evalbox.domain.image import Image
from evalbox.engines.base import (
    LABEL_ATTEMPT,
    LABEL_EVALUATION,
    Launch,
    Profile,
    Sandbox,
    SourceFile,
)
from evalbox.errors import EngineError, EngineUnavailable, SandboxGone
from evalbox.scheduler.account import Account
from evalbox.scheduler.gate import Gate
from evalbox.scheduler.progress import Phase, Progress
from evalbox.scheduler.surroundings import Surroundings
from evalbox.store.artifacts import wanted
from evalbox.telemetry.logs import get_logger

log = get_logger(__name__)

#: Seconds in which a sandbox must be launched, and removed.
START_DEADLINE = 120.0
DESTROY_DEADLINE = 60.0


class Hold:
    """Of one attempt. ``artifacts`` are the paths that the sandbox is to give at its end.

    ``hurry`` gives what is under way so many seconds from now on, or all that it takes (None).
    ``owed`` is the id of a sandbox that is still to be adopted. ``begun``: the store knows of the
    sandbox, so that it lives on when this process ends.
    """

    def __init__(
        self,
        around: Surroundings,
        gate: Gate,
        evaluation: Evaluation,
        *,
        artifacts: tuple[str, ...],
        progress: Progress,
        account: Account,
        hurry: Callable[[float | None], None],
        adopted: Attempt | None,
    ) -> None:
        self.sandbox: Sandbox | None = None
        self.owed = adopted.sandbox_id if adopted else None
        self.begun = adopted is not None
        self._around = around
        self._gate = gate
        self._evaluation = evaluation
        self._artifacts = artifacts
        self._progress = progress
        self._account = account
        self._hurry = hurry
        self._kill: asyncio.Task[None] | None = None

    @property
    def sandbox_id(self) -> str | None:
        """The sandbox that is held, or is still to be adopted."""
        return self.sandbox.id if self.sandbox else self.owed

    async def adopt(self, sandbox_id: str) -> Sandbox:
        """Waits for its engine without limit. Launching it a second time changes nothing.

        Raises ``SandboxGone``, ``EngineError``.
        """
        self.sandbox = sandbox = await self._adopted(sandbox_id)
        self.owed = None
        await sandbox.launch(await self._launch())
        log.info("adopted", sandbox=sandbox.id)
        return sandbox

    async def _adopted(self, sandbox_id: str) -> Sandbox:
        while True:
            await self._gate.opened()
            self._hurry(START_DEADLINE)
            try:
                return await self._gate.engine.adopt(sandbox_id)
            except EngineUnavailable as error:
                self._gate.failed(error)
            except SandboxGone:
                self.owed = None
                raise

    def abandon(self) -> None:
        """What was to be adopted and was not may run on, until the gate's tidying finds it."""
        if self.owed is not None:
            self.owed = None
            self._gate.failed(EngineUnavailable("a sandbox could not be adopted"))

    async def make(self) -> Sandbox | None:
        """The sandbox, launched; None where the attempt is not to begin any more.

        Raises ``ImageBuildError``, ``EngineError``, ``StoreError``.
        """
        spec = self._evaluation.spec
        await self._gate.pass_through()
        image = await self._image()
        profile = Profile(
            image=image.id,
            user=spec.user,
            workdir=spec.workdir,
            network=spec.network,
            limits=spec.limits,
            capabilities=spec.capabilities,
        )
        while True:
            sandbox, warm = await self._acquire(profile)
            try:
                return sandbox if await self._begin(sandbox, image, warm=warm) else None
            except SandboxGone:
                if not warm:
                    raise
                # It died while it waited, which is nobody's failure.
                with suppress(EngineError):
                    await sandbox.destroy()

    async def _image(self) -> Image:
        """The one that is asked for, or that its build makes: now, where that is not there yet."""
        spec = self._evaluation.spec
        reference = spec.image
        if spec.build is not None:
            self._progress.enter(Phase.BUILDING)
            # The build has a deadline of its own.
            self._hurry(None)
            built = await self._around.builds.prepare(
                spec.build,
                base=spec.image,
                engine=spec.engine,
                env=await self._around.store.environment(self._evaluation),
            )
            self._hurry(START_DEADLINE)
            reference = built.image
        self._progress.enter(Phase.FINDING)
        return await self._gate.engine.image(reference)

    async def _acquire(self, profile: Profile) -> tuple[Sandbox, bool]:
        self._progress.enter(Phase.MAKING)
        number = self._evaluation.attempts
        labels = {LABEL_EVALUATION: self._evaluation.id, LABEL_ATTEMPT: str(number)}
        name = f"{self._evaluation.short_id}-{number}"
        with self._account.phase("sandbox"):
            sandbox, warm = await self._around.pool.acquire(self._gate, profile, labels, name)
        self._account.took(warm=warm)
        self.sandbox = sandbox
        return sandbox, warm

    async def _begin(self, sandbox: Sandbox, image: Image, *, warm: bool) -> bool:
        """False where the attempt is not the current one any more, or is to be cancelled."""
        self._progress.enter(Phase.FILLING)
        with self._account.phase("files"):
            launch = await self._launch()
            await sandbox.prepare(launch)
        # Durable before the launch: after a crash the sandbox is found by this record, and
        # launching it again is harmless.
        self.begun = True
        owned = await self._around.store.mark_running(
            self._evaluation.id,
            self._evaluation.attempts,
            self._around.clock.now(),
            sandbox_id=sandbox.id,
            image_digest=image.digest,
            warm=warm,
        )
        if not owned:
            return False
        self._progress.enter(Phase.LAUNCHING)
        with self._account.phase("launch"):
            await sandbox.launch(launch)
        self._account.launched(warm=warm)
        return True

    async def _launch(self) -> Launch:
        spec = self._evaluation.spec
        return Launch(
            command=spec.command,
            workdir=spec.workdir,
            env=await self._around.store.environment(self._evaluation),
            files=tuple(self._source(item) for item in spec.inputs),
            stdin=self._source(spec.stdin) if spec.stdin else None,
            artifacts=self._artifacts,
            artifact_bytes=wanted(spec.limits.artifacts),
        )

    def _source(self, item: InputFile) -> SourceFile:
        return SourceFile(item.path, self._around.store.blob_path(item.blob), item.size, item.mode)

    async def ends_within(self, seconds: float) -> bool:
        """Whether the sandbox says so soon that it has ended. False where it cannot be asked."""
        if self.sandbox is None:
            return False
        with suppress(EngineError, TimeoutError):
            async with asyncio.timeout(seconds):
                await self.sandbox.wait()
                return True
        return False

    def kill_soon(self, on_killed: Callable[[], None]) -> None:
        """Again and again until the engine has done it. Once only, however often it is asked."""
        if self._kill is None:
            self._kill = asyncio.create_task(self._killed(on_killed), name="kill-sandbox")

    async def _killed(self, on_killed: Callable[[], None]) -> None:
        sandbox = self.sandbox
        while sandbox is not None:
            try:
                await sandbox.kill()
            except SandboxGone:
                return
            except EngineError as error:
                log.warning("sandbox not killed", sandbox=sandbox.id, error=error.message)
                await asyncio.sleep(1.0)
            else:
                on_killed()
                return

    async def stop_killing(self) -> None:
        if self._kill is not None:
            self._kill.cancel()
            await asyncio.gather(self._kill, return_exceptions=True)

    async def destroy(self) -> None:
        sandbox = self.sandbox
        if sandbox is None:
            return
        try:
            with self._account.phase("destroy"):
                async with asyncio.timeout(DESTROY_DEADLINE):
                    await sandbox.destroy()
        except (EngineError, TimeoutError) as error:
            # It carries our label: the tidying before the gate opens again finds it.
            self.sandbox = None
            log.warning("sandbox not removed", sandbox=sandbox.id, error=str(error))
            self._gate.failed(EngineUnavailable(f"a sandbox could not be removed: {error}"))
