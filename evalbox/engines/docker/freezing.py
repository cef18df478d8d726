"""An image of what a sandbox holds.

Neither ``docker commit`` nor ``docker export`` sees what is written under gVisor. So the file
system is streamed out by a program inside, into a file on the host, and imported from there only
once it is whole.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Mapping
from contextlib import aclosing
from pathlib import Path
from typing import IO

from evalbox.domain.quantity import format_size
from evalbox.engines.base import Sandbox, Stream
from evalbox.engines.docker.client import Client
from evalbox.engines.docker.importing import changes_like, import_archive
from evalbox.engines.execution import Exec
from evalbox.errors import ImageBuildError

#: What is mounted is another file system. What is of no use to anybody, or is made anew, stays out.
_PACK = """
cd / && tar --one-file-system --numeric-owner --warning=no-file-changed \
  --exclude=./tmp/* --exclude=./proc/* --exclude=./sys/* --exclude=./dev/* \
  --exclude=./.evalbox --exclude=./.dockerenv -cf - .
"""
#: That a file changed while it was read is no failure: a daemon may have been left behind.
_FINE = (0, 1)
_COMPLAINT = 400


async def freeze(
    client: Client, sandbox: Sandbox, name: str, *, labels: Mapping[str, str], most: int, at: Path
) -> None:
    """Makes the image ``name``. Raises ``ImageBuildError`` where it would exceed ``most`` bytes."""
    found = await client.call(lambda api: api.inspect_container(sandbox.id))
    image = await client.call(lambda api: api.inspect_image(found["Image"]))
    with tempfile.TemporaryFile(dir=at) as archive:
        await _pack(sandbox, archive, most)
        changes = tuple(changes_like(image["Config"], labels))
        await import_archive(client, archive, name, changes)


async def _pack(sandbox: Sandbox, archive: IO[bytes], most: int) -> None:
    execution = await sandbox.exec(Exec(("/bin/sh", "-c", _PACK), workdir="/", user="0:0"))
    size, complaint = 0, bytearray()
    try:
        async with aclosing(execution.output()) as chunks:  # type: ignore[type-var]
            async for chunk in chunks:
                if chunk.stream is Stream.STDERR:
                    complaint += chunk.data[: _COMPLAINT - len(complaint)]
                    continue
                size += len(chunk.data)
                if size > most:
                    raise ImageBuildError(
                        f"the image would be larger than {format_size(most)}",
                        hint="let the build leave less behind",
                    )
                await asyncio.to_thread(archive.write, chunk.data)
        status = await execution.wait()
    finally:
        await execution.close()
    if status not in _FINE:
        said = complaint.decode(errors="replace").strip() or f"tar ended with status {status}"
        raise ImageBuildError(
            f"the sandbox cannot be kept as an image: {said}", hint="the image needs tar"
        )
