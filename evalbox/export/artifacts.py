"""Copies artifacts out of the box into a directory of the user's."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from evalbox.domain.paths import beneath
from evalbox.domain.records import ArtifactRecord
from evalbox.export.saving import save
from evalbox.service.box import Box


@dataclass
class Copied:
    """What became of the artifacts of one attempt: files copied, and those that could not be."""

    directory: Path
    files: list[str] = field(default_factory=list)
    size: int = 0
    skipped: list[ArtifactRecord] = field(default_factory=list)


async def copy_all(
    box: Box, evaluation_id: str, target: Path, *, attempt: int | None = None
) -> Copied:
    """Copies every file beneath ``target``, which is made if there is anything to copy.

    Raises ``StoreReadOnly`` where it cannot be written.
    """
    copied = Copied(target)
    for record in await box.artifacts(evaluation_id, attempt=attempt):
        if record.kind != "file":
            copied.skipped.append(record)
            continue
        place = target / beneath(record.path)
        content = box.read_artifact(evaluation_id, record.path, attempt=attempt)
        await save(content, place, executable=bool(record.mode & 0o100))
        copied.files.append(record.path)
        copied.size += record.size
    return copied
