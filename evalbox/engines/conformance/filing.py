"""Files of a sandbox, in and out while it runs."""

from __future__ import annotations

import asyncio
import hashlib
import os
import resource
from collections.abc import AsyncIterator
from contextlib import aclosing
from uuid import uuid4

from evalbox.domain.limits import MIB, Limits
from evalbox.domain.sandbox import EntryKind
from evalbox.engines.base import Sandbox
from evalbox.engines.conformance.case import case
from evalbox.engines.conformance.lab import Lab, execute, expect, expect_that
from evalbox.errors import FileMissing, InvalidInput

HOME = "/home/agent"
LARGE = 100 * MIB
ODD_NAMES = (
    "with space", "new\nline", "\nfirst", "-n", "--help", "it's", '"', "$HOME", "*", "back\\slash",
    "ünï", "tab\t", ".hidden", "a" * 255,
)  # fmt: skip


async def _content(*pieces: bytes) -> AsyncIterator[bytes]:
    for piece in pieces:
        yield piece


async def _read(sandbox: Sandbox, path: str, user: str | None = None) -> bytes:
    return b"".join([piece async for piece in sandbox.files.read(path, user)])


@case()
async def file_round_trip(lab: Lab) -> None:
    """A file that is put in is there, and comes out as it was; putting it again replaces it."""
    commands = lab.commands
    path = f"{HOME}/new/place/file"
    async with lab.kept() as sandbox:
        for content in (b"one", bytes(range(256)) * 2000, b""):
            await sandbox.files.write(path, _content(content[:2], content[2:]))
            expect(await _read(sandbox, path), content, "content")
            done = await execute(sandbox, *commands.command(commands.show("new/place/file")))
            expect(done.stdout, content, "what a program reads")


@case("runs_programs")
async def file_of_100_mib(lab: Lab) -> None:
    """100 MiB go in and come out unchanged, and are never held whole."""
    piece = os.urandom(MIB)
    wanted, found, size = hashlib.sha256(), hashlib.sha256(), 0

    async def content() -> AsyncIterator[bytes]:
        for number in range(LARGE // MIB):
            data = number.to_bytes(4, "big") + piece[4:]
            wanted.update(data)
            yield data

    async with lab.kept(Limits(memory=256 * MIB)) as sandbox:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        await sandbox.files.write(f"{HOME}/large", content())
        async for data in sandbox.files.read(f"{HOME}/large"):
            found.update(data)
            size += len(data)
        grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    expect(size, LARGE, "bytes")
    expect(found.hexdigest(), wanted.hexdigest(), "SHA-256")
    expect_that(grown < 48 * 1024, f"the memory grew by {grown} KiB")


@case("runs_programs")
async def file_mode(lab: Lab) -> None:
    """A file has the mode that it is given."""
    async with lab.kept() as sandbox:
        await sandbox.files.write(f"{HOME}/run", _content(b"#!/bin/sh\necho ran\n"), 0o750)
        (entry,) = [one for one in await sandbox.files.list(HOME) if one.name == "run"]
        expect((entry.mode, entry.size, entry.kind), (0o750, 19, EntryKind.FILE), "entry")
        done = await execute(sandbox, "./run")
        expect(done.stdout, b"ran\n", "standard output")


@case()
async def file_that_is_missing(lab: Lab) -> None:
    """What is not there is missing; a directory is no file; a path is absolute."""
    async with lab.kept() as sandbox:
        await sandbox.files.write(f"{HOME}/there/file", _content(b"x"))
        await _refused(FileMissing, _read(sandbox, f"{HOME}/missing"), "a missing file")
        await _refused(InvalidInput, _read(sandbox, f"{HOME}/there"), "reading a directory")
        await _refused(InvalidInput, _read(sandbox, "there"), "a relative path")
        await _refused(InvalidInput, _read(sandbox, f"{HOME}/a\0b"), "a NUL byte")
        writing = sandbox.files.write(f"{HOME}/there", _content(b"y"))
        await _refused(InvalidInput, writing, "writing a directory")
        await _refused(FileMissing, _listed(sandbox, f"{HOME}/missing"), "listing what is missing")
        await _refused(InvalidInput, _listed(sandbox, f"{HOME}/there/file"), "listing a file")
        expect(await _read(sandbox, f"{HOME}/there/file"), b"x", "content")


@case("isolates")
async def file_of_another(lab: Lab) -> None:
    """Files are read and written with the rights of the user that is named."""
    async with lab.kept() as sandbox:
        await sandbox.files.write("/root/secret", _content(b"s"), 0o600, "0:0")
        await _refused(InvalidInput, _read(sandbox, "/root/secret"), "reading another's file")
        expect(await _read(sandbox, "/root/secret", "0:0"), b"s", "content")
        writing = sandbox.files.write("/etc/passwd", _content(b"x"))
        await _refused(InvalidInput, writing, "writing another's file")
        await sandbox.files.write("/tmp/x/y", _content(b"in memory"))  # noqa: S108
        expect(await _read(sandbox, "/tmp/x/y"), b"in memory", "content")  # noqa: S108


@case("runs_programs")
async def file_that_is_special(lab: Lab) -> None:
    """A named pipe or a device is not read; a link to a file is."""
    script = "mkfifo pipe; echo x >file; ln -s file link; ln -s /dev/zero zero; mkdir directory"
    async with lab.kept() as sandbox:
        await execute(sandbox, "/bin/sh", "-c", script)
        for name in ("pipe", "zero"):
            await _refused(InvalidInput, _read(sandbox, f"{HOME}/{name}"), f"reading {name}")
        expect(await _read(sandbox, f"{HOME}/link"), b"x\n", "content behind a link")
        kinds = {entry.name: entry.kind for entry in await sandbox.files.list(HOME)}
    wanted = {"pipe": EntryKind.OTHER, "file": EntryKind.FILE, "link": EntryKind.LINK,
              "zero": EntryKind.LINK, "directory": EntryKind.DIRECTORY}  # fmt: skip
    expect({name: kinds.get(name) for name in wanted}, wanted, "kinds")


@case("runs_programs")
async def file_names(lab: Lab) -> None:
    """Names with spaces, newlines, leading dashes and the like are taken and listed as they are."""
    async with lab.kept() as sandbox:
        for name in ODD_NAMES:
            content = name.encode(errors="surrogateescape")
            await sandbox.files.write(f"{HOME}/odd/{name}", _content(content))
            expect(await _read(sandbox, f"{HOME}/odd/{name}"), content, f"content of {name!r}")
        await execute(sandbox, "/bin/sh", "-c", "cd odd; : >$(printf 'caf\\351')")
        entries = await sandbox.files.list(f"{HOME}/odd")
    expect([entry.name for entry in entries], sorted([*ODD_NAMES, "caf\udce9"]), "names")
    expect_that(all(entry.modified > 1e9 for entry in entries), "times")


@case()
async def file_whose_source_breaks(lab: Lab) -> None:
    """Where the source of a file breaks off, or the caller goes, what was there stays."""
    path = f"{HOME}/file"
    stuck = asyncio.Event()

    async def broken() -> AsyncIterator[bytes]:
        yield b"half"
        raise ConnectionError("the client has gone")

    async def endless() -> AsyncIterator[bytes]:
        yield b"half"
        stuck.set()
        await asyncio.Event().wait()

    async with lab.kept() as sandbox:
        await sandbox.files.write(path, _content(b"before"))
        await _refused(ConnectionError, sandbox.files.write(path, broken()), "the source's error")
        writing = asyncio.ensure_future(sandbox.files.write(path, endless()))
        await stuck.wait()
        writing.cancel()
        await asyncio.gather(writing, return_exceptions=True)
        expect(await _read(sandbox, path), b"before", "content")
        names = [entry.name for entry in await sandbox.files.list(HOME)]
        expect([name for name in names if name.startswith(".evalbox")], [], "what is left behind")


@case("runs_programs")
async def file_read_in_part(lab: Lab) -> None:
    """Whoever stops reading leaves no program behind."""
    # Nothing else names it: an engine may show the programs of the whole machine.
    name = f"read-in-part-{uuid4().hex}"
    async with lab.kept() as sandbox:
        await execute(sandbox, "/bin/sh", "-c", f"head -c {20 * MIB} /dev/zero >{name}")
        async with aclosing(sandbox.files.read(f"{HOME}/{name}")) as pieces:  # type: ignore[type-var]
            async for _ in pieces:
                reading = await _programs_naming(sandbox, name)
                expect_that(bool(reading), "nothing is seen to read")
                break
        expect(await _programs_naming(sandbox, name), [], "what still reads")


@case("limits_files")
async def file_beyond_the_limit(lab: Lab) -> None:
    """A file beyond the sandbox's limit of disk space is refused, and nothing of it is left."""
    async with lab.kept(Limits(memory=256 * MIB, disk=2 * MIB)) as sandbox:
        writing = sandbox.files.write(f"{HOME}/large", _content(*[bytes(MIB)] * 4))
        await _refused(InvalidInput, writing, "a file beyond the limit")
        names = [entry.name for entry in await sandbox.files.list(HOME)]
        expect([name for name in names if name in ("large",)], [], "what is left behind")


async def _programs_naming(sandbox: Sandbox, name: str) -> list[bytes]:
    done = await execute(sandbox, "/bin/sh", "-c", "cat /proc/[0-9]*/cmdline")
    return [word for word in done.stdout.split(b"\0") if name.encode() in word]


async def _listed(sandbox: Sandbox, path: str) -> None:
    await sandbox.files.list(path)


async def _refused(error: type[Exception], doing: object, what: str) -> None:
    try:
        await doing  # type: ignore[misc]
    except error:
        return
    expect_that(False, f"{what} was not refused with {error.__name__}")
