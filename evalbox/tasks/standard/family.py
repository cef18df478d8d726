"""A family as it lies on the host. Its code is never run here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from evalbox.domain.limits import MIB
from evalbox.tasks.base import read_bytes
from evalbox.tasks.standard import bundle, manifest, steps
from evalbox.tasks.standard.bundle import Bundle
from evalbox.tasks.standard.format import Place
from evalbox.tasks.standard.manifest import Manifest


@dataclass(frozen=True, slots=True)
class Family:
    name: str
    bundle: Bundle
    manifest: Manifest
    steps: tuple[dict[str, Any], ...]


def read(place: Place) -> Family:
    """Raises ``InvalidInput`` and ``FileMissing``; looks at all that is in the directory."""
    found = bundle.scan(place.directory)
    files = {entry.name for entry in found.entries}

    def content(name: str) -> bytes:
        return read_bytes(place.directory / name, limit=MIB)

    def origin(name: str) -> str:
        return str(place.directory / name)

    told, built = manifest.NAME, steps.NAME
    return Family(
        name=place.family,
        bundle=found,
        manifest=(
            manifest.read_manifest(content(told), origin(told)) if told in files else Manifest()
        ),
        steps=steps.read_steps(content(built), origin(built)) if built in files else (),
    )
