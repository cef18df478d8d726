"""Images that sandboxes are made from: finding, loading, removing and building them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

from evalbox.engines.base import Image
from evalbox.engines.docker.client import Client
from evalbox.errors import ImageNotFound

BASE = "evalbox/base:latest"


class Images:
    def __init__(self, client: Client) -> None:
        self._client = client

    async def get(self, reference: str) -> Image:
        """Raises ``ImageNotFound``, with the remedy."""
        try:
            return _image(await self._client.call(lambda api: api.inspect_image(reference)))
        except ImageNotFound as error:
            raise ImageNotFound(
                f"there is no image {reference}",
                hint="make the base image with: evalbox images build; see what is there with: "
                "evalbox images list",
            ) from error


def _image(found: dict[str, Any]) -> Image:
    digests = found.get("RepoDigests") or [found["Id"]]
    return Image(
        id=found["Id"],
        digest=str(digests[0]),
        names=tuple(found.get("RepoTags") or ()),
        size=int(found["Size"]),
        created_at=_timestamp(found.get("Created")),
    )


def _timestamp(text: str | None) -> float | None:
    """The engine writes nanoseconds, which Python's parser cuts to microseconds."""
    try:
        return datetime.fromisoformat(text).timestamp() if text else None
    except ValueError:
        return None
