"""One build: a sandbox, the program that is run in it, and the image of what there is then."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing, asynccontextmanager, suppress

from evalbox.domain.building import CAPABILITIES, ImageBuild, built_name
from evalbox.domain.evaluation import Network
from evalbox.domain.image import Image
from evalbox.domain.limits import GIB, Limits
from evalbox.domain.quantity import format_duration, format_size
from evalbox.engines.base import LABEL_BOX, Launch, Profile, Sandbox
from evalbox.engines.execution import IDLE, Exec
from evalbox.errors import (
    EngineError,
    EngineUnavailable,
    FileMissing,
    ImageBuildError,
    SandboxGone,
)
from evalbox.scheduler.buildlog import BuildLog
from evalbox.scheduler.gate import Gate
from evalbox.scheduler.supplies import Supplies
from evalbox.store.files import content
from evalbox.store.store import Store

LABEL_BUILD = "evalbox.build"
ROOT = "0:0"
#: What a build may use, and how large its image may become.
LIMITS = Limits(cpus=2.0, memory=4 * GIB, disk=20 * GIB, pids=2048)
_LARGEST = 40 * GIB
#: Bytes of what is told of an image.
_DESCRIPTION = 16 << 20
#: Seconds that the box's own work may take, before and after the program.
_STARTING, _KEEPING = 300.0, 3600.0
#: Seconds between looks at the disk that is used, and that a sandbox has to say how it ended.
_LOOK, _LAST_WORDS = 1.0, 5.0


class Workshop:
    """``sandbox`` is set while there is one."""

    def __init__(
        self,
        gate: Gate,
        store: Store,
        build: ImageBuild,
        base: Image,
        key: str,
        env: Mapping[str, str],
        log: BuildLog,
        supplies: Supplies,
    ) -> None:
        self.gate = gate
        self.key = key
        self.log = log
        self.sandbox: Sandbox | None = None
        self._store = store
        self._build = build
        self._base = base
        self._env = supplies.environment(env)
        self._supplies = supplies

    async def make(self) -> tuple[Image, str]:
        """The image and what is told of it. Raises ``ImageBuildError`` and ``EngineError``."""
        try:
            async with self._opened() as sandbox:
                await self._fill(sandbox)
                await self._run(sandbox)
                description = await self._described(sandbox)
                return await self._kept(sandbox), description
        except TimeoutError:
            raise EngineError(f"no sandbox was started within {_STARTING:.0f} s") from None
        except EngineUnavailable as error:
            self.gate.failed(error)
            raise

    @asynccontextmanager
    async def _opened(self) -> AsyncGenerator[Sandbox, None]:
        profile = Profile(
            self._base.id, ROOT, "/", Network.INTERNET, LIMITS, tuple(sorted(CAPABILITIES))
        )
        labels = {LABEL_BOX: self._store.box_id, LABEL_BUILD: self.key}
        # Other boxes of the same engine may build the same.
        name = f"build-{self._store.box_id}-{self.key[:16]}"
        await self.log.note(f"building {built_name(self.key)} upon {self._base.names[0]}")
        async with asyncio.timeout(_STARTING), self.gate.creation():
            sandbox = await self.gate.engine.create(profile, labels=labels, name=name)
            self.sandbox = sandbox
        try:
            await sandbox.launch(Launch(IDLE, "/"))
            yield sandbox
        finally:
            try:
                await sandbox.destroy()
            except EngineError as error:
                # It carries our label: the tidying before the gate opens again finds it.
                self.gate.failed(EngineUnavailable(error.message, hint=error.hint))
            self.sandbox = None

    async def _fill(self, sandbox: Sandbox) -> None:
        for file in self._build.files:
            source = self._store.blob_path(file.blob)
            await sandbox.files.write(file.path, content(source), file.mode, ROOT)
        await self._supplies.bring(sandbox)

    async def _run(self, sandbox: Sandbox) -> None:
        """To its end, and that of all that it has begun."""
        program = Exec(self._build.command, "/", self._env, ROOT)
        seconds = self._build.timeout
        watch = asyncio.create_task(_over_its_disk(sandbox), name="build-disk")
        try:
            async with asyncio.timeout(seconds):
                status = await self._printed(sandbox, program)
        except TimeoutError:
            raise self._failed(f"it took longer than {format_duration(seconds)}") from None
        except SandboxGone:
            raise await self._died(sandbox, watch) from None
        finally:
            watch.cancel()
        if status != 0:
            raise self._failed(f"status {status}")
        if not await self._supplies.take_away(sandbox):
            raise self._failed("what evalbox had lent it could not be removed")

    async def _printed(self, sandbox: Sandbox, program: Exec) -> int:
        execution = await sandbox.exec(program)
        try:
            async with aclosing(execution.output()) as chunks:  # type: ignore[type-var]
                async for chunk in chunks:
                    await self.log.add(chunk.data)
            await self.log.settle()
            status = await execution.wait()
            # What it leaves running is not to write while the image is taken.
            await execution.kill()
            return status
        finally:
            await execution.close()

    async def _died(self, sandbox: Sandbox, watch: asyncio.Task[None]) -> EngineError:
        """Why the sandbox ended in the middle."""
        if watch.done() and not watch.cancelled():
            return self._failed(f"it wrote more than {format_size(LIMITS.disk)}")
        with suppress(EngineError, TimeoutError):
            async with asyncio.timeout(_LAST_WORDS):
                if (await sandbox.wait()).oom_killed:
                    limit = format_size(LIMITS.memory)
                    return self._failed(f"it used more memory than {limit}")
        return SandboxGone("the sandbox ended while an image was built in it")

    async def _described(self, sandbox: Sandbox) -> str:
        path = self._build.description
        if not path:
            return ""
        found = bytearray()
        try:
            async with aclosing(sandbox.files.read(path, ROOT)) as pieces:  # type: ignore[type-var]
                async for piece in pieces:
                    found += piece
                    if len(found) > _DESCRIPTION:
                        raise self._failed(f"{path} is larger than {format_size(_DESCRIPTION)}")
        except FileMissing:
            raise self._failed(f"it left no {path}") from None
        try:
            return json.dumps(json.loads(found), separators=(",", ":"))
        except ValueError:
            raise self._failed(f"{path} is not JSON") from None

    async def _kept(self, sandbox: Sandbox) -> Image:
        await self.log.note("keeping the image")
        try:
            async with asyncio.timeout(_KEEPING):
                return await self.gate.engine.keep_image(
                    sandbox,
                    built_name(self.key),
                    labels={LABEL_BUILD: self.key},
                    most=_LARGEST,
                    at=self._store.builds_dir,
                )
        except TimeoutError:
            raise self._failed("keeping the image took too long") from None

    def _failed(self, reason: str) -> ImageBuildError:
        """With the end of the log; its very last line says most."""
        tail = self.log.tail()
        last = f": {tail[-1]}" if tail else ""
        return ImageBuildError(
            "\n".join([f"the image could not be built: {reason}{last}", *tail]),
            hint=f"all that it printed: evalbox images log {self.key[:16]}",
        )


async def _over_its_disk(sandbox: Sandbox) -> None:
    """Ends the sandbox, and itself, once too much has been written in it."""
    while True:
        await asyncio.sleep(_LOOK)
        with suppress(EngineError):
            usage = await sandbox.usage()
            if usage is not None and usage.disk > LIMITS.disk:
                await sandbox.kill()
                return
