"""Builds the base image: by Docker where a registry answers, else from Debian's packages alone."""

from __future__ import annotations

import asyncio
import io
import shutil
import tempfile
from collections import deque
from contextlib import suppress
from typing import IO, Any

from evalbox.domain.image import BASE
from evalbox.engines.docker import recipe
from evalbox.engines.docker.client import Client
from evalbox.engines.docker.importing import import_archive
from evalbox.engines.docker.streams import Progress, told
from evalbox.engines.spawn import spawned
from evalbox.errors import (
    EngineError,
    EngineUnavailable,
    ImageBuildError,
    ImageNotFound,
)

#: Seconds in which a registry must answer before it is taken for unreachable.
_REGISTRY_PATIENCE = 15.0
#: Seconds that a tool gets to clean up after itself when the build is given up.
_GRACE = 20.0
_TAIL = 15
_BY_HAND = (
    "run as root: apt-get install mmdebstrap && evalbox images build; or bring the image from "
    "another machine: docker save -o base.tar evalbox/base:latest, evalbox images load base.tar"
)


class Builder:
    """Builds once, telling ``progress``; Debian's packages come from ``mirror``."""

    def __init__(self, client: Client, progress: Progress, mirror: str) -> None:
        self._client = client
        self._progress = progress
        self._mirror = mirror
        self._tail: deque[str] = deque(maxlen=_TAIL)

    async def build(self) -> None:
        """Makes the image and gives it its name. Raises ``ImageBuildError``."""
        if await self._parent_at_hand():
            await self.upon(recipe.PARENT)
            return
        for tool in (recipe.mmdebstrap, recipe.debootstrap):
            if shutil.which(tool.__name__):
                self._tell(f"no registry answers: {tool.__name__} fetches Debian's packages")
                await self.bootstrap(tool(self._mirror))
                return
        raise ImageBuildError(
            "the base image cannot be built: no registry answers, and neither mmdebstrap nor "
            "debootstrap is installed",
            hint=_BY_HAND,
        )

    async def upon(self, parent: str) -> None:
        """Builds by Docker, upon an image that holds a Debian."""
        await self.by_docker(recipe.dockerfile(parent), BASE)

    async def by_docker(self, dockerfile: bytes, name: str) -> None:
        """Has Docker build what is called ``name``. Raises ``ImageBuildError``."""
        loop = asyncio.get_running_loop()

        def build(api: Any) -> None:
            source = io.BytesIO(dockerfile)
            lines = api.build(fileobj=source, tag=name, rm=True, forcerm=True, decode=True)
            for line in told(lines):
                loop.call_soon_threadsafe(self._tell, line)

        try:
            await self._client.call(build)
        except EngineUnavailable:
            raise
        except EngineError as error:
            raise self._failed(error.message, name) from error

    async def bootstrap(self, command: list[str]) -> None:
        """Imports the root file system that ``command`` writes to its standard output."""
        with tempfile.TemporaryFile() as archive:
            try:
                async with spawned(command, stdout=archive.fileno(), grace=_GRACE) as process:
                    assert process.stderr is not None  # noqa: S101 - it is a pipe
                    async for line in process.stderr:
                        self._tell(line.decode(errors="replace").rstrip())
                    status = await process.wait()
            except OSError as error:
                raise self._failed(str(error)) from error
            if status != 0:
                raise self._failed(f"{command[0]} ended with status {status}")
            await self._import(archive)

    async def _import(self, archive: IO[bytes]) -> None:
        self._tell("importing the image")
        try:
            await import_archive(self._client, archive, BASE, recipe.CHANGES)
        except EngineUnavailable:
            raise
        except EngineError as error:
            raise self._failed(error.message) from error

    async def _parent_at_hand(self) -> bool:
        """Whether Docker has, or can get, the image that ours is built upon."""
        try:
            async with asyncio.timeout(_REGISTRY_PATIENCE):
                await self._client.call(lambda api: api.inspect_distribution(recipe.PARENT))
        except EngineUnavailable:
            raise
        except (EngineError, ImageNotFound, TimeoutError):
            with suppress(ImageNotFound):
                await self._client.call(lambda api: api.inspect_image(recipe.PARENT))
                return True
            return False
        return True

    def _tell(self, line: str) -> None:
        if line:
            self._tail.append(line)
            self._progress(line)

    def _failed(self, reason: str, name: str = BASE) -> ImageBuildError:
        tail = "\n".join(self._tail)
        what = "the base image" if name == BASE else f"the image {name}"
        return ImageBuildError(f"{what} cannot be built: {reason}\n{tail}", hint=_BY_HAND)
