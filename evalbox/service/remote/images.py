"""The images of a box elsewhere."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from evalbox.domain.image import Image
from evalbox.errors import ServiceUnreachable
from evalbox.service.images import Progress
from evalbox.service.remote.client import Client
from evalbox.wire import reading
from evalbox.wire.problem import error_from

#: Seconds that a box may take to load what it got, without a word.
_LOADING = 3600.0


class RemoteImages:
    """Implements ``Images`` over the API."""

    def __init__(self, client: Client) -> None:
        self._client = client

    async def list(self) -> Sequence[Image]:
        return [reading.image(item) for item in await self._client.get("/images")]

    async def get(self, reference: str) -> Image:
        return reading.image(await self._client.get("/images/one", {"reference": reference}))

    async def build_base(
        self, progress: Progress, *, force: bool = False, mirror: str = ""
    ) -> Image:
        query = {"force": force, "mirror": mirror or None}
        return await self._work("/images/build", query, progress)

    async def pull(self, reference: str, progress: Progress) -> Image:
        return await self._work("/images/pull", {"reference": reference}, progress)

    async def load(self, archive: Path) -> Sequence[Image]:
        found = await self._client.upload("POST", "/images/load", archive, silence=_LOADING)
        return [reading.image(item) for item in found]

    async def remove(self, reference: str) -> None:
        await self._client.send("DELETE", "/images/one", query={"reference": reference})

    async def _work(self, path: str, query: dict[str, Any], progress: Progress) -> Image:
        async for event in self._client.events(path, query=query, method="POST"):
            match event.kind:
                case "progress":
                    progress(event.data["line"])
                case "image":
                    return reading.image(event.data)
                case "problem":
                    raise error_from(event.data)
        raise ServiceUnreachable("the box ended before the work did", hint="ask again")
