"""Where the cases are tried: an engine, what it runs, and the steps that every case takes."""

from __future__ import annotations

import asyncio
import io
import secrets
import tarfile
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from evalbox.domain.limits import MIB, Limits
from evalbox.engines.base import (
    LABEL_BOX,
    Engine,
    Exit,
    Launch,
    Profile,
    Sandbox,
    SandboxInfo,
    SourceFile,
    Stream,
)
from evalbox.engines.conformance.commands import Commands, ShellCommands
from evalbox.engines.conformance.traits import Traits
from evalbox.engines.execution import IDLE, Exec, Execution

#: Seconds within which a kill must have ended everything.
KILL_TIME = 5.0


class Mismatch(AssertionError):
    """The engine did something else than it must."""


def expect(found: object, wanted: object, what: str) -> None:
    if found != wanted:
        raise Mismatch(f"{what}: {_short(found)}, not {_short(wanted)}")


def expect_that(holds: bool, what: str) -> None:
    if not holds:
        raise Mismatch(what)


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 400 else f"{text[:200]} ... {text[-100:]}"


@dataclass(frozen=True, slots=True)
class Ran:
    """What came of a launch. ``kept`` maps the names in the tar of artifacts to their content:
    None for a directory, the target's name as text for a symbolic link."""

    stdout: bytes
    stderr: bytes
    exit: Exit
    kept: Mapping[str, bytes | str | None] = field(default_factory=dict)


class Lab:
    """An engine on trial.

    ``reopened`` gives the engine of a later process (default: the same one); it is closed by the
    case that asked for it. ``image`` None where the engine has no images.
    """

    def __init__(
        self,
        engine: Engine,
        *,
        image: str,
        traits: Traits | None = None,
        commands: Commands | None = None,
        reopened: Callable[[], Engine] | None = None,
    ) -> None:
        self.engine = engine
        self.image = image
        self.traits = traits or Traits()
        self.commands = commands or ShellCommands()
        self.box = f"conformance-{secrets.token_hex(6)}"
        self._reopened = reopened
        self._files = tempfile.TemporaryDirectory(prefix="evalbox-conformance-")
        self._image_id = ""

    @property
    def labels(self) -> dict[str, str]:
        return {LABEL_BOX: self.box}

    async def profile(self, limits: Limits | None = None) -> Profile:
        if not self._image_id:
            self._image_id = (await self.engine.image(self.image)).id
        return Profile(image=self._image_id, limits=limits or Limits(memory=256 * MIB))

    def source(self, content: bytes, path: str = "/dev/stdin", mode: int = 0o644) -> SourceFile:
        """A file to put in at ``path``, or a standard input."""
        file = Path(self._files.name, secrets.token_hex(8))
        file.write_bytes(content)
        return SourceFile(path, file, len(content), mode)

    @asynccontextmanager
    async def sandbox(
        self, limits: Limits | None = None, *, name: str | None = None
    ) -> AsyncIterator[Sandbox]:
        """A fresh sandbox that waits; destroyed at the end."""
        profile = await self.profile(limits)
        sandbox = await self.engine.create(profile, labels=self.labels, name=name)
        try:
            yield sandbox
        finally:
            await sandbox.destroy()

    @asynccontextmanager
    async def kept(self, limits: Limits | None = None) -> AsyncIterator[Sandbox]:
        """A sandbox whose main process only waits, for programs to be run beside it."""
        async with self.sandbox(limits) as sandbox:
            await self.launch(sandbox, *IDLE)
            yield sandbox

    async def launch(self, sandbox: Sandbox, *command: str, **how: object) -> Launch:
        """Launches ``command`` as the scheduler does. ``how`` are fields of ``Launch``."""
        launch = replace(Launch(command=command), **how)  # type: ignore[arg-type]
        await sandbox.prepare(launch)
        await sandbox.launch(launch)
        return launch

    async def run(self, *command: str, limits: Limits | None = None, **how: object) -> Ran:
        """Runs ``command`` in a sandbox of its own."""
        async with self.sandbox(limits) as sandbox:
            launch = await self.launch(sandbox, *command, **how)
            return await finish(sandbox, launch)

    async def shell(self, script: str, limits: Limits | None = None, **how: object) -> Ran:
        return await self.run("/bin/sh", "-c", script, limits=limits, **how)

    async def python(self, code: str, limits: Limits | None = None, **how: object) -> Ran:
        return await self.run("python3", "-c", code, limits=limits, **how)

    @asynccontextmanager
    async def later(self) -> AsyncIterator[Engine]:
        """The engine as a later process has it."""
        if self._reopened is None:
            yield self.engine
            return
        engine = self._reopened()
        try:
            yield engine
        finally:
            await engine.close()

    async def listed(self) -> dict[str, SandboxInfo]:
        return {info.id: info for info in await self.engine.list(self.box)}

    async def close(self) -> None:
        """Removes what is left of this lab; the engine stays open."""
        await self.engine.reap(self.box, frozenset())
        self._files.cleanup()


@dataclass(frozen=True, slots=True)
class Done:
    """What came of a program beside the main process."""

    stdout: bytes
    stderr: bytes
    status: int


async def execute(sandbox: Sandbox, *command: str, stdin: bytes | None = None, **how: Any) -> Done:
    """Runs a program to its end. ``how`` are fields of ``Exec``."""
    program = Exec(command, stdin=stdin is not None, **how)
    execution = await sandbox.exec(program)
    try:
        feeding = asyncio.create_task(_feed(execution, stdin or b""))
        try:
            return await conclude(execution)
        finally:
            feeding.cancel()
            await asyncio.gather(feeding, return_exceptions=True)
    finally:
        await execution.close()


async def conclude(execution: Execution) -> Done:
    """Reads a program's output to the end."""
    parts: dict[Stream, list[bytes]] = {stream: [] for stream in Stream}
    async for chunk in execution.output():
        expect_that(len(chunk.data) > 0, "an empty piece of output")
        parts[chunk.stream].append(chunk.data)
    printed = {stream: b"".join(pieces) for stream, pieces in parts.items()}
    return Done(printed[Stream.STDOUT], printed[Stream.STDERR], await execution.wait())


async def _feed(execution: Execution, data: bytes) -> None:
    for start in range(0, len(data), 1 << 16):
        await execution.write(data[start : start + (1 << 16)])
    await execution.close_stdin()


async def read(sandbox: Sandbox, skip: Mapping[Stream, int] | None = None) -> dict[Stream, bytes]:
    """All output, by stream."""
    parts: dict[Stream, list[bytes]] = {stream: [] for stream in Stream}
    async for chunk in sandbox.output(skip):
        expect_that(len(chunk.data) > 0, "an empty piece of output")
        parts[chunk.stream].append(chunk.data)
    return {stream: b"".join(pieces) for stream, pieces in parts.items()}


async def read_until(sandbox: Sandbox, mark: bytes) -> bytes:
    """Standard output up to the piece that holds ``mark``; the rest is left."""
    seen = b""
    output = sandbox.output()
    try:
        async for chunk in output:
            seen += chunk.data if chunk.stream is Stream.STDOUT else b""
            if mark in seen:
                break
    finally:
        await output.aclose()  # type: ignore[attr-defined]
    return seen


async def finish(sandbox: Sandbox, launch: Launch) -> Ran:
    """Reads everything that comes of a launch, as the scheduler does: all at once."""
    reading = asyncio.create_task(read(sandbox))
    try:
        archive = b"".join([piece async for piece in sandbox.artifacts()])
        how = await sandbox.wait()
        output = await reading
    finally:
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)
    if not launch.artifacts:
        expect(archive, b"", "artifacts that were not asked for")
    return Ran(output[Stream.STDOUT], output[Stream.STDERR], how, unpack(archive))


def unpack(archive: bytes) -> dict[str, bytes | str | None]:
    found: dict[str, bytes | str | None] = {}
    if not archive:
        return found
    with tarfile.open(fileobj=io.BytesIO(archive)) as members:
        for member in members:
            name = member.name.removeprefix("./").strip("/")
            if member.issym():
                found[name] = member.linkname
            elif member.isreg():
                content = members.extractfile(member)
                found[name] = content.read() if content else b""
            else:
                found[name] = None
    return found


async def until(
    holds: Callable[[], Awaitable[bool]], what: str, seconds: float = KILL_TIME
) -> None:
    """Waits for something that comes about in the background."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + seconds
    while not await holds():
        expect_that(loop.time() < deadline, f"{what}: not within {seconds:g} s")
        await asyncio.sleep(0.05)
