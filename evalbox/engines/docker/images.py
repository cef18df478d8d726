"""Images that sandboxes are made from: finding, loading, pulling and removing them."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from evalbox.domain.image import BASE, TASK_STANDARD, Image
from evalbox.engines.docker import recipe, standard
from evalbox.engines.docker.build import Builder
from evalbox.engines.docker.client import Client
from evalbox.engines.docker.faults import CONFLICT, Refused
from evalbox.engines.docker.streams import Progress, pieces, told
from evalbox.errors import Conflict, EngineError, FileMissing, ImageNotFound, InvalidInput

_LOADED = ("Loaded image: ", "Loaded image ID: ")


class Images:
    """The images of one Docker engine, which all of its users share."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._building = asyncio.Lock()

    async def get(self, reference: str) -> Image:
        """Raises ``ImageNotFound``, with the remedy."""
        try:
            return _image(await self._client.call(lambda api: api.inspect_image(reference)))
        except ImageNotFound as error:
            raise ImageNotFound(
                f"there is no image {reference}",
                hint="evalbox images list shows what is there; evalbox images build makes the "
                "base image, evalbox images load brings one in from a file",
            ) from error

    async def list(self) -> Sequence[Image]:
        """Those that have a name, newest first."""
        found = await self._client.call(lambda api: api.images())
        return [_image(item) for item in found if _names(item)]

    async def build_base(
        self, progress: Progress, *, force: bool = False, mirror: str = recipe.MIRROR
    ) -> Image:
        """The base image, built where it is missing or of an older recipe, or by ``force``.

        ``mirror`` is where Debian's packages come from. Raises ``ImageBuildError``.
        """
        async with self._building:
            if force or await self._recipe_of(BASE) != recipe.VERSION:
                await Builder(self._client, progress, mirror).build()
        return await self.get(BASE)

    async def build_task_standard(self, progress: Progress, *, force: bool = False) -> Image:
        """The image that those of families are built upon; else as ``build_base``, upon that."""
        base = await self.build_base(progress)
        version = f"{standard.VERSION} {base.id}"
        async with self._building:
            if force or await self._recipe_of(TASK_STANDARD) != version:
                dockerfile = standard.dockerfile(BASE, version)
                await Builder(self._client, progress, "").by_docker(dockerfile, TASK_STANDARD)
        return await self.get(TASK_STANDARD)

    async def has_task_standard(self) -> bool:
        """Whether it is there and of today's recipe, if perhaps upon an older base image: with
        another one, all that is built upon it would be built anew.
        """
        return (await self._recipe_of(TASK_STANDARD)).split(" ")[0] == standard.VERSION

    async def _recipe_of(self, reference: str) -> str:
        """What the image says that it was made by; empty where there is none."""
        found = await self._client.call(lambda api: api.images(reference))
        labels = (found[0].get("Labels") or {}) if found else {}
        return str(labels.get(recipe.LABEL, ""))

    async def load(self, archive: Path) -> Sequence[Image]:
        """What ``docker save`` wrote. Raises ``FileMissing``, and ``InvalidInput`` for no image."""

        def load(api: Any) -> list[str]:
            try:
                source = archive.open("rb")
            except OSError as error:
                raise FileMissing(f"{archive} cannot be read: {error.strerror}") from error
            with source:
                return list(told(api.load_image(pieces(source))))

        try:
            lines = await self._client.call(load)
        except (Refused, EngineError) as error:
            raise InvalidInput(
                f"{archive} holds no image: {error.message}",
                hint="make such a file with: docker save -o FILE IMAGE",
            ) from error
        names = [line.removeprefix(mark) for line in lines for mark in _LOADED if mark in line]
        return [await self.get(name) for name in names]

    async def remove(self, reference: str) -> None:
        """Raises ``ImageNotFound``, and ``Conflict`` while a container is made from it."""
        await self.get(reference)
        try:
            await self._client.call(lambda api: api.remove_image(reference))
        except Refused as error:
            if error.status != CONFLICT:
                raise
            raise Conflict(
                f"image {reference} is in use: {error.message}",
                hint="wait until what runs with it has ended",
            ) from error

    async def pull(self, reference: str, progress: Progress) -> Image:
        """From the registry that ``reference`` names. Raises ``EngineError`` where that fails."""
        loop = asyncio.get_running_loop()

        def pull(api: Any) -> None:
            from docker.utils import parse_repository_tag

            name, tag = parse_repository_tag(reference)
            for line in told(api.pull(name, tag=tag or "latest", stream=True, decode=True)):
                loop.call_soon_threadsafe(progress, line)

        try:
            await self._client.call(pull)
        except (ImageNotFound, EngineError) as error:
            raise EngineError(
                f"image {reference} cannot be pulled: {error.message}",
                hint="where no registry can be reached, use: evalbox images load FILE",
            ) from error
        return await self.get(reference)


def _image(found: dict[str, Any]) -> Image:
    """From the engine's list of images, or from its answer about one of them."""
    names = _names(found)
    digests = found.get("RepoDigests") or [found["Id"]]
    return Image(
        id=found["Id"],
        digest=str(digests[0]) if "<none>" not in digests[0] else found["Id"],
        names=names,
        size=int(found["Size"]),
        created_at=_timestamp(found.get("Created")),
    )


def _names(found: dict[str, Any]) -> tuple[str, ...]:
    return tuple(name for name in found.get("RepoTags") or () if "<none>" not in name)


def _timestamp(value: str | int | None) -> float | None:
    if isinstance(value, int):
        return float(value)
    try:
        return datetime.fromisoformat(value).timestamp() if value else None
    except ValueError:
        return None
