"""The images of this machine's engine, what is done to them being audited."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from io import BufferedReader
from pathlib import Path
from types import MappingProxyType

from evalbox.config.settings import Settings
from evalbox.domain.admissible import check_build
from evalbox.domain.building import BuildRecord, BuildState, Built, ImageBuild
from evalbox.engines.base import Engine
from evalbox.engines.docker.recipe import MIRROR
from evalbox.errors import Conflict, ImageNotFound
from evalbox.scheduler.supplies import Supplies
from evalbox.service.audit import audited
from evalbox.service.builders import Builders
from evalbox.service.images import EngineImages, Image, Progress
from evalbox.store.store import Store

_PIECE = 256 * 1024
#: Seconds between looks at a log that another task, or another process, writes.
_LOOK = 0.1


async def _opened(path: Path) -> BufferedReader:
    """Closed again where the caller is cancelled meanwhile."""
    opening = asyncio.ensure_future(asyncio.to_thread(path.open, "rb"))
    try:
        return await asyncio.shield(opening)
    except asyncio.CancelledError:
        opening.add_done_callback(_close)
        raise


def _close(opening: asyncio.Task[BufferedReader]) -> None:
    if not opening.cancelled() and opening.exception() is None:
        opening.result().close()


class LocalImages:
    """Implements ``Images``."""

    def __init__(
        self,
        images: EngineImages,
        store: Store,
        settings: Settings,
        engine: Callable[[str], Engine],
        builders: Builders,
    ) -> None:
        self._images = images
        self._store = store
        self._settings = settings
        self._engine = engine
        self._builders = builders

    async def list(self) -> Sequence[Image]:
        return await self._images.list()

    async def get(self, reference: str) -> Image:
        return await self._images.get(reference)

    async def build_base(
        self, progress: Progress, *, force: bool = False, mirror: str = MIRROR
    ) -> Image:
        async with audited(self._store, "image.build", detail={"force": force}) as entry:
            image = await self._images.build_base(progress, force=force, mirror=mirror)
            entry.target = image.id
        return image

    async def build_task_standard(self, progress: Progress, *, force: bool = False) -> Image:
        async with audited(self._store, "image.build", detail={"force": force}) as entry:
            image = await self._images.build_task_standard(progress, force=force)
            entry.target = image.id
        return image

    async def load(self, archive: Path) -> Sequence[Image]:
        async with audited(self._store, "image.load", str(archive)) as entry:
            loaded = await self._images.load(archive)
            entry.target = ", ".join(image.names[0] for image in loaded if image.names)
        return loaded

    async def pull(self, reference: str, progress: Progress) -> Image:
        async with audited(self._store, "image.pull", reference):
            return await self._images.pull(reference, progress)

    async def remove(self, reference: str) -> None:
        async with audited(self._store, "image.remove", reference):
            await self._images.remove(reference)

    # --- those that are built ---

    async def prepare(
        self,
        build: ImageBuild,
        progress: Progress,
        *,
        base: str,
        engine: str = "",
        env: Mapping[str, str] = MappingProxyType({}),
    ) -> Built:
        check_build(build)
        self._store.check_there(build.files)
        engine = engine or self._settings.engine
        detail = {"base": base, "engine": engine}
        async with audited(self._store, "image.prepare", detail=detail) as entry:
            async with self._builders.opened(Supplies.of(self._settings)) as builds:
                built = await builds.prepare(build, progress, base=base, engine=engine, env=env)
            entry.target = built.image
        return built

    async def builds(self) -> Sequence[BuildRecord]:
        return await self._store.builds()

    async def build(self, reference: str) -> BuildRecord:
        return await self._store.find_build(reference)

    async def build_log(self, reference: str, *, follow: bool = False) -> AsyncIterator[bytes]:
        key = (await self._store.find_build(reference)).key
        path = self._store.build_log(key)
        try:
            file = await _opened(path)
        except FileNotFoundError:
            return
        with file:
            while True:
                # Asked before reading: what an ended build has printed is all there.
                record = await self._store.build(key)
                over = record is None or record.state is not BuildState.BUILDING
                while data := await asyncio.to_thread(file.read, _PIECE):
                    yield data
                if over or not follow:
                    return
                await asyncio.sleep(_LOOK)

    async def prune(self, unused: float) -> Sequence[BuildRecord]:
        before = self._store.clock.now() - unused
        async with audited(self._store, "image.prune", detail={"unused": unused}) as entry:
            due = [
                one
                for one in await self._store.builds()
                if one.state is BuildState.READY and one.used_at <= before
            ]
            gone = [one for one in due if await self._dropped(one)]
            entry.target = ", ".join(one.image for one in gone)
            await self._store.builds_removed([one.key for one in gone])
        return gone

    async def _dropped(self, record: BuildRecord) -> bool:
        """Whether it is no more; one that is in use stays."""
        try:
            await self._engine(record.engine).drop_image(record.image)
        except Conflict:
            return False
        except ImageNotFound:
            # Somebody else was there before.
            pass
        return True
