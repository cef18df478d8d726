"""``evalbox sandbox cp``."""

from __future__ import annotations

import asyncio
import posixpath
from collections.abc import AsyncIterator
from pathlib import Path
from typing import BinaryIO

import click

from evalbox.cli.command import Command, with_session
from evalbox.cli.session import Session
from evalbox.domain.quantity import format_size
from evalbox.domain.sandbox import MAX_FILE
from evalbox.errors import FileMissing, InvalidInput, TooLarge
from evalbox.export.saving import save
from evalbox.service.box import Box
from evalbox.service.terminal import standard_input

_PIECE = 256 * 1024
_STANDARD = "-"


@click.command("cp", cls=Command)
@click.argument("source", metavar="SRC")
@click.argument("target", metavar="DEST")
@click.option("--user", "-u", help="Whose rights count.  [default: the sandbox's]")
@with_session
async def sandbox_cp(session: Session, *, source: str, target: str, user: str | None) -> None:
    """Copy a file into a sandbox, or out of it.

    \b
      evalbox sandbox cp FILE SANDBOX:/path     into it; a path that ends in / is a directory
      evalbox sandbox cp SANDBOX:/path FILE     out of it
      evalbox sandbox cp SANDBOX:/path -        to standard output; - is standard input, too
    """
    inside, place = _parted(source), _parted(target)
    if (inside is None) == (place is None):
        raise InvalidInput(
            "one of the two has to be in a sandbox", hint="name it as SANDBOX:/path", field="target"
        )
    async with session.box(work=True) as box:
        if place is not None:
            await _into(box, source, *place, user)
        elif inside is not None:
            await _out(session, box, *inside, target, user)


def _parted(text: str) -> tuple[str, str] | None:
    """The sandbox and the path of ``SANDBOX:/path``; None for a file of this machine."""
    reference, colon, path = text.partition(":")
    if not colon or not reference or "/" in reference or not path.startswith("/"):
        return None
    return reference, path


async def _into(box: Box, source: str, reference: str, path: str, user: str | None) -> None:
    if source == _STANDARD:
        await box.sandboxes.write(reference, path, standard_input(), user=user)
        return
    local = Path(source)
    if path.endswith("/"):
        path = posixpath.join(path, local.name)
    try:
        mode = (await asyncio.to_thread(local.stat)).st_mode
        file = await asyncio.to_thread(local.open, "rb")
    except OSError as error:
        raise _unreadable(local, error) from error
    with file:
        size = await asyncio.to_thread(lambda: local.stat().st_size)
        if size > MAX_FILE:
            raise TooLarge(f"{local} is larger than {format_size(MAX_FILE)}", hint="take it apart")
        content = _content(local, file)
        await box.sandboxes.write(reference, path, content, mode=mode & 0o777, user=user)


async def _content(local: Path, file: BinaryIO) -> AsyncIterator[bytes]:
    try:
        while data := await asyncio.to_thread(file.read, _PIECE):
            yield data
    except OSError as error:
        raise _unreadable(local, error) from error


def _unreadable(local: Path, error: OSError) -> FileMissing:
    return FileMissing(f"{local} cannot be read: {(error.strerror or str(error)).lower()}")


async def _out(
    session: Session, box: Box, reference: str, path: str, target: str, user: str | None
) -> None:
    content = box.sandboxes.read(reference, path, user=user)
    if target == _STANDARD:
        async for data in content:
            await asyncio.to_thread(session.console.binary, data)
        return
    place = Path(target)
    if await asyncio.to_thread(place.is_dir):
        place = place / posixpath.basename(path.rstrip("/"))
    await save(content, place)
