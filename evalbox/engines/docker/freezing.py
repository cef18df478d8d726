"""An image of what a sandbox holds.

Neither ``docker commit`` nor ``docker export`` sees what is written under gVisor. So the files are
streamed out by a program inside, into a file on the host, and become an image from there only once
they are whole: those that the sandbox has changed as a layer upon its own image, or, where it has
removed some, all of them as an image by themselves.
"""

from __future__ import annotations

import tempfile
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import IO, Any

from evalbox.engines.base import Sandbox
from evalbox.engines.docker.client import Client
from evalbox.engines.docker.filesystem import Listing, listing, pack, pack_some
from evalbox.engines.docker.importing import changes_like, import_archive, label_changes
from evalbox.engines.docker.removal import PASSING_NAME, Remover
from evalbox.engines.docker.streams import pieces

#: What comes and goes: that some of it has been removed makes no difference.
_PASSING = (b"./var/cache/", b"./var/lib/apt/lists/", b"./var/log/", b"./run/", b"./var/tmp/")


class Freezer:
    """``fresh`` gives what an untouched sandbox of an image holds, None where that is unknown."""

    def __init__(
        self,
        client: Client,
        remover: Remover,
        fresh: Callable[[str], Awaitable[Listing | None]],
    ) -> None:
        self._client = client
        self._remover = remover
        self._fresh = fresh
        self._known: dict[str, Listing | None] = {}

    async def freeze(
        self, sandbox: Sandbox, name: str, *, labels: Mapping[str, str], most: int, at: Path
    ) -> None:
        """Makes the image ``name``. Raises ``ImageBuildError`` where it exceeds ``most`` bytes."""
        found = await self._client.call(lambda api: api.inspect_container(sandbox.id))
        base = str(found["Image"])
        changed = await self._changed(sandbox, base)
        with tempfile.TemporaryFile(dir=at) as archive:
            if changed is not None:
                await pack_some(sandbox, changed, archive, most)
                await self._commit(base, name, archive, labels)
                return
            await pack(sandbox, archive, most)
            image = await self._client.call(lambda api: api.inspect_image(base))
            changes = (*changes_like(image["Config"]), *label_changes(labels))
            await import_archive(self._client, archive, name, changes)

    async def _changed(self, sandbox: Sandbox, base: str) -> list[bytes] | None:
        """The paths that are new or another; None where that is not all that has changed."""
        if base not in self._known:
            self._known[base] = await self._fresh(base)
        before, after = self._known[base], await listing(sandbox)
        if before is None or after is None:
            return None
        for path, facts in before.items():
            there = after.get(path)
            if there is None and not path.startswith(_PASSING):
                return None
            # Of another kind than before.
            if there is not None and there[:1] != facts[:1]:
                return None
        return [path for path, facts in after.items() if before.get(path) != facts]

    async def _commit(
        self, base: str, name: str, archive: IO[bytes], labels: Mapping[str, str]
    ) -> None:
        """By way of a container that is never started: nothing of the image is run."""
        repository, _, tag = name.partition(":")
        passing = PASSING_NAME + tag
        await self._remover.remove(passing)
        image = await self._client.call(lambda api: api.inspect_image(base))
        changes = label_changes(labels)

        def commit(api: Any) -> None:
            archive.seek(0)
            # Nothing of its own, as all of that would be the image's too.
            api.create_container(base, command=image["Config"].get("Cmd"), name=passing)
            api.put_archive(passing, "/", pieces(archive))
            api.commit(passing, repository=repository, tag=tag, changes=list(changes))

        try:
            await self._client.call(commit)
        finally:
            await self._remover.remove(passing)
