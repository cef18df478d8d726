"""What a sandbox's root file system holds, as programs inside tell it, and as a tar of it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import aclosing
from typing import IO

from evalbox.domain.quantity import format_size
from evalbox.engines.base import Sandbox, Stream
from evalbox.engines.execution import Exec
from evalbox.errors import ImageBuildError

#: Paths with all that tells whether a file is another than before: kind, rights, owner, size, when
#: it was changed.
Listing = Mapping[bytes, bytes]

ROOT = "0:0"
#: What is mounted, or is the box's own, belongs to no image.
_OUT = (
    "./proc", "./sys", "./dev", "./tmp", "./.evalbox", "./.evalbox-kept", "./.dockerenv",
    "./etc/hosts", "./etc/hostname", "./etc/resolv.conf",
)  # fmt: skip
_PRUNED = " -o ".join(f"-path {path}" for path in _OUT)
_LIST = f"cd / && find . -xdev \\( {_PRUNED} \\) -prune -o -printf '%y%m:%U:%G:%s:%T@:%C@\\0%p\\0'"
_EXCLUDED = " ".join(f"--exclude={path}" for path in _OUT[4:])
_TAR = "cd / && tar --numeric-owner --warning=no-file-changed -cf - "
#: The places of what is mounted are there, and empty.
_ALL = f"{_TAR} --one-file-system {_EXCLUDED} --exclude='./tmp/*' ."
_NAMES = "/.evalbox-kept"
_SOME = f"{_TAR} --null --no-recursion -T {_NAMES}"
#: That a file changed while it was read is no failure: a daemon may have been left behind.
_FINE = (0, 1)
_COMPLAINT = 400
_LISTING_LIMIT = 1 << 30
_PIECE = 4 << 20


async def listing(sandbox: Sandbox) -> Listing | None:
    """None where the image has no tool for it."""
    found = bytearray()
    status, _ = await _ran(sandbox, _LIST, found, _LISTING_LIMIT)
    facts = bytes(found).split(b"\0")
    return dict(zip(facts[1::2], facts[::2], strict=False)) if status == 0 else None


async def pack(sandbox: Sandbox, archive: IO[bytes], most: int) -> None:
    """Everything, as a tar of at most ``most`` bytes. Raises ``ImageBuildError``."""
    await _packed(sandbox, _ALL, archive, most)


async def pack_some(
    sandbox: Sandbox, paths: Iterable[bytes], archive: IO[bytes], most: int
) -> None:
    """The same of ``paths``, as a listing has them."""

    async def content() -> AsyncIterator[bytes]:
        yield b"".join(path + b"\0" for path in paths)

    await sandbox.files.write(_NAMES, content(), 0o600, ROOT)
    await _packed(sandbox, _SOME, archive, most)


async def _packed(sandbox: Sandbox, script: str, archive: IO[bytes], most: int) -> None:
    status, complaint = await _ran(sandbox, script, archive, most)
    if status not in _FINE:
        said = complaint or f"tar ended with status {status}"
        raise ImageBuildError(
            f"the sandbox cannot be kept as an image: {said}", hint="the image needs GNU tar"
        )


async def _ran(
    sandbox: Sandbox, script: str, target: IO[bytes] | bytearray, most: int
) -> tuple[int, str]:
    """The exit status and the beginning of the complaints; what is printed goes to ``target``."""
    execution = await sandbox.exec(Exec(("/bin/sh", "-c", script), workdir="/", user=ROOT))
    size, complaint, waiting = 0, bytearray(), bytearray()
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
                waiting += chunk.data
                if len(waiting) >= _PIECE:
                    await _put(target, bytes(waiting))
                    waiting.clear()
        await _put(target, bytes(waiting))
        return await execution.wait(), complaint.decode(errors="replace").strip()
    finally:
        await execution.close()


async def _put(target: IO[bytes] | bytearray, data: bytes) -> None:
    if isinstance(target, bytearray):
        target += data
    else:
        await asyncio.to_thread(target.write, data)
