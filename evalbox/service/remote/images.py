"""The images of a box elsewhere."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any
from urllib.parse import quote

from evalbox.domain.building import BuildRecord, Built, ImageBuild
from evalbox.domain.image import Image
from evalbox.errors import ServiceUnreachable
from evalbox.service.images import Progress
from evalbox.service.remote.client import Client
from evalbox.wire import builds as wire
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

    async def build_task_standard(self, progress: Progress, *, force: bool = False) -> Image:
        return await self._work("/images/build", {"force": force, "standard": True}, progress)

    async def pull(self, reference: str, progress: Progress) -> Image:
        return await self._work("/images/pull", {"reference": reference}, progress)

    async def load(self, archive: Path) -> Sequence[Image]:
        found = await self._client.upload("POST", "/images/load", archive, silence=_LOADING)
        return [reading.image(item) for item in found]

    async def remove(self, reference: str) -> None:
        await self._client.send("DELETE", "/images/one", query={"reference": reference})

    async def prepare(
        self,
        build: ImageBuild,
        progress: Progress,
        *,
        base: str,
        engine: str = "",
        env: Mapping[str, str] = MappingProxyType({}),
    ) -> Built:
        body = wire.wanted(build, base=base, engine=engine, env=dict(env))
        return wire.built_from(await self._told("/images/builds", progress, body=body))

    async def builds(self) -> Sequence[BuildRecord]:
        return [wire.build_from(item) for item in await self._client.get("/images/builds")]

    async def build(self, reference: str) -> BuildRecord:
        return wire.build_from(await self._client.get(_of(reference)))

    async def build_log(self, reference: str, *, follow: bool = False) -> AsyncIterator[bytes]:
        path = _of(reference) + "/log"
        if not follow:
            async for data in self._client.pieces("GET", path):
                yield data
            return
        async for event in self._client.events(path + "/stream"):
            match event.kind:
                case "piece":
                    yield base64.b64decode(event.data["data"])
                case "end":
                    return
                case "problem":
                    raise error_from(event.data)
        raise ServiceUnreachable("the box ended before the build did", hint="ask again")

    async def prune(self, unused: float) -> Sequence[BuildRecord]:
        answer = await self._client.send("DELETE", "/images/builds", query={"unused": unused})
        return [wire.build_from(item) for item in answer]

    async def _work(self, path: str, query: dict[str, Any], progress: Progress) -> Image:
        return reading.image(await self._told(path, progress, query=query))

    async def _told(
        self,
        path: str,
        progress: Progress,
        *,
        query: dict[str, Any] | None = None,
        body: Any = None,
    ) -> Any:
        """What comes of a long work."""
        async for event in self._client.events(path, query=query, method="POST", body=body):
            match event.kind:
                case "progress":
                    progress(event.data["line"])
                case "image" | "built":
                    return event.data
                case "problem":
                    raise error_from(event.data)
        raise ServiceUnreachable("the box ended before the work did", hint="ask again")


def _of(reference: str) -> str:
    return f"/images/builds/{quote(reference, safe='')}"
