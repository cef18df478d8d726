"""Who a sandbox's user is, and whether the working directory is theirs: as the image has it.

Names are looked up in the image, never on the host. What was found is kept for each image.
"""

from __future__ import annotations

import asyncio
import io
import posixpath
import tarfile
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from evalbox.engines.base import Profile
from evalbox.engines.docker.archive import Owner
from evalbox.engines.docker.client import Client
from evalbox.engines.docker.faults import NOT_FOUND, Refused
from evalbox.engines.docker.removal import PASSING
from evalbox.engines.docker.script import MEMORY_MOUNTS, beneath
from evalbox.engines.docker.wire import Request
from evalbox.errors import EngineError, InvalidInput

#: Of files, no larger ones are read: a list of accounts is small. Of a directory only the first
#: header counts.
_FILE_LIMIT = 1024 * 1024
_LARGEST_ID = 2**31 - 1
#: Lines of a list of accounts, in fields.
Records = list[list[str]]
#: Directories that stay whose they are, whoever works in them.
_SHARED = ("/proc", "/sys", "/dev", "/etc", "/usr", *MEMORY_MOUNTS)


@dataclass(frozen=True, slots=True)
class Identity:
    """``give`` says that the working directory must be made, or given to the owner."""

    owner: Owner
    give: bool


class Identities:
    """Finds identities, each of them once."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._known: dict[tuple[str, str, str], Identity] = {}
        self._lock = asyncio.Lock()

    async def of(self, profile: Profile) -> Identity:
        """Raises ``InvalidInput`` for a user that the image does not have, or no shell at all."""
        key = (profile.image, profile.user, profile.workdir)
        if key not in self._known:
            async with self._lock:
                if key not in self._known:
                    self._known[key] = await self._look(profile)
        return self._known[key]

    async def _look(self, profile: Profile) -> Identity:
        """Looks into a container of the image that is never started."""
        created = await self._client.call(
            lambda api: api.create_container(
                profile.image, command=["/bin/sh"], labels={PASSING: ""}
            )
        )
        view = _View(self._client, created["Id"])
        try:
            # Its own failure to start may come late, and would look like the job's.
            if await view.entry("/bin/sh") is None:
                raise InvalidInput(
                    f"image {profile.image} has no /bin/sh, which evalbox begins every job by",
                    hint="use an image with a working /bin/sh",
                    field="image",
                )
            owner = await owner_of(profile.user, view.records, where="the image")
            return Identity(owner, await _must_give(view, profile.workdir, owner))
        finally:
            await asyncio.shield(
                self._client.call(lambda api: api.remove_container(view.container, force=True))
            )


@dataclass(frozen=True, slots=True)
class _View:
    """The files of a container."""

    client: Client
    container: str

    async def entry(self, path: str) -> tuple[tarfile.TarInfo, bytes] | None:
        """What is at ``path``, with the content of a small file; None where nothing is.

        Raises ``EngineError``.
        """
        query = {"path": path}
        request = Request("GET", f"/containers/{self.container}/archive", query)
        data = bytearray()
        try:
            async with self.client.opened(request) as connection:
                async for piece in connection.pieces():
                    data += piece
                    if len(data) > _FILE_LIMIT + tarfile.RECORDSIZE:
                        break
        except Refused as error:
            if error.status != NOT_FOUND:
                raise
            return None
        try:
            with tarfile.open(fileobj=io.BytesIO(data), mode="r|") as archive:
                member = archive.next()
                if member is None:
                    return None
                small = member.isfile() and member.size <= _FILE_LIMIT
                content = archive.extractfile(member) if small else None
                return member, content.read() if content else b""
        except tarfile.TarError as error:
            raise EngineError(f"the engine gave {path} of the image in part: {error}") from None

    async def records(self, path: str) -> Records:
        """The lines of a list of accounts, in fields."""
        entry = await self.entry(path)
        return records_of(entry[1] if entry else b"")


def records_of(content: bytes) -> Records:
    """The lines of a list of accounts, in fields."""
    return [line.split(":") for line in content.decode(errors="replace").splitlines()]


async def owner_of(user: str, look: Callable[[str], Awaitable[Records]], *, where: str) -> Owner:
    """The numbers of ``user``; ``look`` gives the list of accounts at a path.

    Raises ``InvalidInput`` for a user that is not known ``where`` was looked.
    """
    name, _, group = user.partition(":")
    uid, gid = _number(name), _number(group)
    if uid is None or gid is None:
        account = _account(name, await look("/etc/passwd"))
        uid = account.uid if account else uid
        if group and gid is None:
            gid = _group(group, await look("/etc/group"))
        elif gid is None:
            gid = account.gid if account else 0
    if uid is None or gid is None or max(uid, gid) > _LARGEST_ID:
        raise InvalidInput(
            f"{where} has no user {user!r}",
            hint=f"give numbers as UID:GID, or a name from {where}'s /etc/passwd",
            field="user",
        )
    return Owner(uid, gid)


def _account(name: str, records: Records) -> Owner | None:
    for record in records:
        if len(record) >= 4 and name in (record[0], record[2]):
            uid, gid = _number(record[2]), _number(record[3])
            if uid is not None and gid is not None:
                return Owner(uid, gid)
    return Owner(0, 0) if name in ("root", "") else None


def _group(name: str, records: Records) -> int | None:
    found = (record[2] for record in records if len(record) >= 3 and record[0] == name)
    return _number(next(found, ""))


def _number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdecimal() else None


async def _must_give(view: _View, workdir: str, owner: Owner) -> bool:
    path = posixpath.normpath(workdir)
    if path == "/" or any(path == shared or beneath(path, shared) for shared in _SHARED):
        return False
    entry = await view.entry(path)
    if entry is None:
        return True
    # A link is the image's own business.
    return entry[0].isdir() and entry[0].uid != owner.uid
