"""The images of the container engine, for front ends."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Protocol

from evalbox.domain.building import Built, ImageBuild
from evalbox.domain.image import Image

__all__ = ["Image", "Images", "Progress"]

#: Told in a line of text how long work goes on.
Progress = Callable[[str], None]


class Images(Protocol):
    """What sandboxes under gVisor and runc are made from: one engine holds both's."""

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

        What the build prints is told as it comes, from its beginning. Raises ``ImageBuildError``.
        """
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
