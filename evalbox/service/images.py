"""The images of the container engine, for front ends."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Protocol

from evalbox.domain.building import BuildRecord, Built, ImageBuild
from evalbox.domain.image import Image

__all__ = ["EngineImages", "Image", "Images", "Progress"]

#: Told in a line of text how long work goes on.
Progress = Callable[[str], None]


class EngineImages(Protocol):
    """Those of one container engine."""

    async def list(self) -> Sequence[Image]:
        """Those that have a name, newest first."""
        ...

    async def get(self, reference: str) -> Image:
        """Raises ``ImageNotFound``."""
        ...

    async def build_base(
        self, progress: Progress, *, force: bool = False, mirror: str = ...
    ) -> Image:
        """The base image, made where it is missing or old. Raises ``ImageBuildError``."""
        ...

    async def build_task_standard(self, progress: Progress, *, force: bool = False) -> Image:
        """The image for families of the METR Task Standard, made upon the base image likewise."""
        ...

    async def load(self, archive: Path) -> Sequence[Image]:
        """What ``docker save`` wrote. Raises ``FileMissing`` and ``InvalidInput``."""
        ...

    async def pull(self, reference: str, progress: Progress) -> Image:
        """From the registry that ``reference`` names. Raises ``EngineError``."""
        ...

    async def remove(self, reference: str) -> None:
        """Raises ``ImageNotFound``, and ``Conflict`` while a container is made from it."""
        ...


class Images(EngineImages, Protocol):
    """What sandboxes under gVisor and runc are made from: one engine holds both's."""

    async def prepare(
        self,
        build: ImageBuild,
        progress: Progress,
        *,
        base: str,
        engine: str = "",
        env: Mapping[str, str] = MappingProxyType({}),
    ) -> Built:
        """The image that ``build`` makes upon ``base``: made once, however many ask.

        What the build prints is told as it comes, from its beginning. ``engine`` empty is the box's
        own. Raises ``ImageBuildError`` with the end of the log, and ``EngineError``.
        """
        ...

    async def builds(self) -> Sequence[BuildRecord]:
        """Those used last come first."""
        ...

    async def build(self, reference: str) -> BuildRecord:
        """By its key, a beginning of that, or its image's name. Raises ``ImageNotFound``."""
        ...

    def build_log(self, reference: str, *, follow: bool = False) -> AsyncIterator[bytes]:
        """What the last try printed, as it is; with ``follow`` until it is over.

        Raises ``ImageNotFound``.
        """
        ...

    async def prune(self, unused: float) -> Sequence[BuildRecord]:
        """Removes what was built and not used for so many seconds; those in use stay."""
        ...
