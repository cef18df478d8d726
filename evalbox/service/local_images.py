"""The images of this machine's engine, what is done to them being audited."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from evalbox.engines.docker.recipe import MIRROR
from evalbox.service.audit import audited
from evalbox.service.images import Image, Images, Progress
from evalbox.store.store import Store


class LocalImages:
    """Implements ``Images``."""

    def __init__(self, images: Images, store: Store) -> None:
        self._images = images
        self._store = store

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
