"""The images of a fake engine, which are names."""

from __future__ import annotations

import asyncio
import hashlib
import tarfile
from collections.abc import Callable, Sequence
from pathlib import Path

from evalbox.domain.image import BASE, TASK_STANDARD, Image
from evalbox.domain.limits import MIB
from evalbox.errors import Conflict, EngineError, FileMissing, ImageNotFound, InvalidInput

_STEPS = ("Pulling fs layer", "Downloading", "Verifying checksum", "Extracting", "Pull complete")
_MADE_AT = 1_767_225_600.0


class FakeImages:
    """Starts with the base image. References with ``no-such`` in them are nowhere.

    What stands in ``used`` cannot be removed. ``kept`` has the files of those that were built.
    """

    def __init__(self, kept: dict[str, dict[str, bytes]] | None = None) -> None:
        self._kept = {} if kept is None else kept
        self.used: set[str] = set()
        self._images: dict[str, Image] = {}
        self._add(BASE)
        for name in self._kept:
            self._add(name)

    def keep(self, name: str) -> None:
        self._add(name)

    def _add(self, reference: str) -> Image:
        digest = hashlib.sha256(reference.encode()).hexdigest()
        name = reference if ":" in reference.rpartition("/")[2] else f"{reference}:latest"
        image = Image(
            id=f"sha256:{digest}",
            digest=f"{name.rpartition(':')[0]}@sha256:{digest}",
            names=(name,),
            size=(50 + int(digest[:2], 16)) * MIB,
            created_at=_MADE_AT + 3600 * len(self._images),
        )
        self._images[name] = image
        return image

    async def list(self) -> Sequence[Image]:
        """The newest first."""
        return list(self._images.values())[::-1]

    async def get(self, reference: str) -> Image:
        for name, image in self._images.items():
            if reference in (name, image.id, name.removesuffix(":latest")):
                return image
        raise ImageNotFound(f"no image {reference!r} on the fake engine")

    async def build_base(
        self, progress: Callable[[str], None], *, force: bool = False, mirror: str = ""
    ) -> Image:
        progress("Step 1/1 : FROM scratch")
        await asyncio.sleep(0)
        return self._add(BASE) if force else await self._base()

    async def _base(self) -> Image:
        return self._images.get(BASE) or self._add(BASE)

    async def build_task_standard(
        self, progress: Callable[[str], None], *, force: bool = False
    ) -> Image:
        progress(f"Step 1/1 : FROM {BASE}")
        await asyncio.sleep(0)
        return self._images.get(TASK_STANDARD) or self._add(TASK_STANDARD)

    async def load(self, archive: Path) -> Sequence[Image]:
        if not await asyncio.to_thread(archive.is_file):
            raise FileMissing(f"{archive}: no such file", hint="check the path")
        if not await asyncio.to_thread(tarfile.is_tarfile, archive):
            raise InvalidInput(f"{archive} holds no image: it is no tar archive")
        return [self._add(f"loaded/{archive.stem}")]

    async def pull(self, reference: str, progress: Callable[[str], None]) -> Image:
        for step in _STEPS:
            progress(f"{reference}: {step}")
            await asyncio.sleep(0)
        if "no-such" in reference:
            raise EngineError(
                f"image {reference} cannot be pulled: there is none",
                hint="check the name",
            )
        return self._add(reference)

    async def remove(self, reference: str) -> None:
        image = await self.get(reference)
        if self.used & {*image.names, image.id}:
            raise Conflict(f"image {reference} is in use", hint="wait until what runs has ended")
        for name in image.names:
            self._images.pop(name, None)
            self._kept.pop(name, None)
