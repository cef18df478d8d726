"""What the box does for a request before it is submitted: it keeps files, and makes images."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Protocol

from evalbox.domain.building import Built, ImageBuild

#: Told in a line of text how long work goes on.
Progress = Callable[[str], None]


class Builder(Protocol):
    async def prepare(
        self,
        build: ImageBuild,
        progress: Progress,
        *,
        base: str,
        engine: str = "",
        env: Mapping[str, str] = ...,
    ) -> Built:
        """Raises ``ImageBuildError``."""
        ...


class Workshop(Protocol):
    """The part of a box that a request needs; ``Box`` is one."""

    async def upload(self, source: Path | bytes) -> tuple[str, int]:
        """Stores the content of a file; gives its blob (SHA-256, hex) and its size in bytes."""
        ...

    @property
    def images(self) -> Builder: ...


def in_silence(_line: str) -> None:
    """For who does not show how far things are."""
