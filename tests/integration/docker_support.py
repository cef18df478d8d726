"""What the tests of the Docker engine share."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from evalbox.domain.attempt import Usage
from evalbox.engines.base import LABEL_BOX, Exit, Launch, Profile, Sandbox, SourceFile, Stream
from evalbox.engines.docker import DockerEngine
from evalbox.errors import EngineUnavailable, ImageNotFound

BASE = "evalbox/base:latest"
KINDS = [
    pytest.param("runc", marks=pytest.mark.docker),
    pytest.param("gvisor", marks=pytest.mark.gvisor),
]
both = pytest.mark.parametrize("kind", KINDS)


@dataclass(frozen=True)
class Bench:
    """An engine, the base image's id, and a box of this test alone."""

    engine: DockerEngine
    image: str
    box: str

    def profile(self, **options: Any) -> Profile:
        return Profile(self.image, **options)

    async def create(self, name: str | None = None, **options: Any) -> Any:
        return await self.engine.create(
            self.profile(**options), labels={LABEL_BOX: self.box}, name=name
        )

    async def run(self, launch: Launch, **options: Any) -> Ran:
        sandbox = await self.create(**options)
        try:
            await sandbox.prepare(launch)
            await sandbox.launch(launch)
            return await finished(sandbox)
        finally:
            await sandbox.destroy()

    async def shell(self, script: str, **options: Any) -> Ran:
        return await self.run(Launch(("/bin/sh", "-c", script)), **options)


@dataclass(frozen=True)
class Ran:
    out: bytes
    err: bytes
    exit: Exit
    usage: Usage | None


async def finished(sandbox: Sandbox, skip: dict[Stream, int] | None = None) -> Ran:
    parts: dict[Stream, bytearray] = {stream: bytearray() for stream in Stream}
    async for chunk in sandbox.output(skip):
        parts[chunk.stream] += chunk.data
    ended = await sandbox.wait()
    usage = await sandbox.usage()
    return Ran(bytes(parts[Stream.STDOUT]), bytes(parts[Stream.STDERR]), ended, usage)


@asynccontextmanager
async def bench(kind: Any, **options: Any) -> AsyncIterator[Bench]:
    """Skips the test where there is no such engine or image. Leaves nothing behind."""
    engine = DockerEngine(kind, **options)
    box = f"test-{uuid.uuid4().hex[:12]}"
    try:
        try:
            await engine.ping()
            image = (await engine.image(BASE)).id
        except (EngineUnavailable, ImageNotFound) as error:
            pytest.skip(str(error))
        yield Bench(engine, image, box)
        left = await engine.list(box)
        for item in left:
            await (await engine.adopt(item.id)).destroy()
        assert not left, "sandboxes were left behind"
    finally:
        await engine.close()


def source(directory: Path, path: str, content: bytes, mode: int = 0o644) -> SourceFile:
    """A file of the host with this content, which is to be at ``path`` in the sandbox."""
    file = directory / uuid.uuid4().hex
    file.write_bytes(content)
    return SourceFile(path, file, len(content), mode)
