"""Copies artifacts out of the box into a directory of the user's."""

from __future__ import annotations

import asyncio
import os
import tempfile
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from evalbox.domain.records import ArtifactRecord
from evalbox.errors import InvalidInput, StoreReadOnly
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
        await copy_file(content, place, executable=bool(record.mode & 0o100))
        copied.files.append(record.path)
        copied.size += record.size
    return copied


async def copy_file(content: AsyncIterator[bytes], place: Path, *, executable: bool) -> None:
    """Writes a file whole or not at all; one that is there is replaced, a link not followed."""
    temporary: Path | None = None
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        descriptor, name = tempfile.mkstemp(dir=place.parent, prefix=".evalbox-")
        temporary = Path(name)
        with os.fdopen(descriptor, "wb") as file:
            async for data in content:
                await asyncio.to_thread(file.write, data)
        temporary.chmod((0o777 if executable else 0o666) & ~_umask())
        temporary.replace(place)
        temporary = None
    except OSError as error:
        raise StoreReadOnly(
            f"{place}: cannot be written: {(error.strerror or str(error)).lower()}",
            hint="choose another place with --artifacts-dir or --to",
        ) from error
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)


def beneath(path: str) -> PurePosixPath:
    """``path``, which a job may have chosen, as one that cannot lead out of a directory."""
    parts = [part for part in PurePosixPath(path).parts if part.strip("/")]
    if not parts or ".." in parts or "\0" in path:
        raise InvalidInput(f"artifact {path!r}: its path leads out of the directory")
    return PurePosixPath(*parts)


def _umask() -> int:
    mask = os.umask(0o077)
    os.umask(mask)
    return mask
