"""Files of the user's, written whole or not at all."""

from __future__ import annotations

import asyncio
import os
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

from evalbox.errors import Conflict, StoreReadOnly


async def save(
    content: AsyncIterator[bytes], place: Path, *, replace: bool = True, executable: bool = False
) -> int:
    """Writes ``place``, with the directories above it; gives its bytes.

    What is there is replaced, a link not followed; without ``replace`` that raises ``Conflict``.
    Raises ``StoreReadOnly`` where it cannot be written.
    """
    temporary: Path | None = None
    size = 0
    try:
        await asyncio.to_thread(place.parent.mkdir, parents=True, exist_ok=True)
        descriptor, name = tempfile.mkstemp(dir=place.parent, prefix=".evalbox-")
        temporary = Path(name)
        with os.fdopen(descriptor, "wb") as file:
            async for data in content:
                size += await asyncio.to_thread(file.write, data)
        temporary.chmod((0o777 if executable else 0o666) & ~_umask())
        if replace:
            temporary.replace(place)
            temporary = None
        else:
            _link(temporary, place)
    except OSError as error:
        raise StoreReadOnly(
            f"{place}: cannot be written: {(error.strerror or str(error)).lower()}",
            hint="choose another place",
        ) from error
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)
    return size


def _link(temporary: Path, place: Path) -> None:
    """Unlike a rename, it does not replace what came meanwhile."""
    try:
        os.link(temporary, place)
    except FileExistsError:
        raise Conflict(f"{place}: is there already", hint="choose another name") from None


def _umask() -> int:
    mask = os.umask(0o077)
    os.umask(mask)
    return mask
