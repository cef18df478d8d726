"""The images of the container engine, for front ends."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from evalbox.config.settings import Settings
from evalbox.domain.image import Image
from evalbox.engines.docker import DockerEngine, Images

__all__ = ["Image", "Images", "open_images"]


@asynccontextmanager
async def open_images(settings: Settings) -> AsyncIterator[Images]:
    """The images that sandboxes under gVisor and runc are made from: one engine holds both's."""
    engine = DockerEngine("runc", docker_host=settings.docker_host or None)
    try:
        yield engine.images
    finally:
        await engine.close()
