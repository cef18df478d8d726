"""A sandbox that is kept for a while."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path, PurePosixPath
from typing import Any, TypedDict, Unpack

from evalbox.domain.evaluation import Network
from evalbox.domain.sandbox import (
    DEFAULT_COLLECTED,
    BoxSandbox,
    Entry,
    ExecReport,
    ExecSpec,
    SandboxSpec,
)
from evalbox.sdk.job import Content, limits, seconds
from evalbox.service.box import Box as ServiceBox
from evalbox.service.remote import uploads
from evalbox.service.sandbox_box import SandboxExec


class SandboxOptions(TypedDict, total=False):
    """What a sandbox is to be. What is left out has the box's own default.

    ``memory``, ``disk``: bytes, or as in ``1g``; ``lifetime``, ``idle_timeout``: seconds, or as in
    ``10m``, after which it is removed, whatever becomes of this program.
    """

    name: str
    image: str
    engine: str
    user: str
    workdir: str
    network: Network
    memory: int | str
    cpus: float
    disk: int | str
    pids: int
    env: Mapping[str, str]
    labels: Mapping[str, str]
    lifetime: float | str
    idle_timeout: float | str


class ExecOptions(TypedDict, total=False):
    """How a program is run in a sandbox; ``timeout`` in seconds, or as in ``10m`` (its default)."""

    workdir: str
    env: Mapping[str, str]
    user: str
    timeout: float | str


def sandbox_spec(options: SandboxOptions) -> SandboxSpec:
    """Raises ``InvalidInput``."""
    given: dict[str, Any] = {
        key: value
        for key, value in options.items()
        if key not in ("memory", "cpus", "disk", "pids", "lifetime", "idle_timeout")
    }
    for key in ("lifetime", "idle_timeout"):
        if key in options:
            given[key] = seconds(options[key], field=key)
    return SandboxSpec(limits=limits(options), **given)


def exec_spec(command: str | Sequence[str], options: ExecOptions, *, stdin: bool) -> ExecSpec:
    """A command as text is for a shell. Raises ``InvalidInput``."""
    given: dict[str, Any] = dict(options)
    if "timeout" in options:
        given["timeout"] = seconds(options["timeout"], field="timeout")
    vector = ("sh", "-c", command) if isinstance(command, str) else tuple(command)
    return ExecSpec(command=vector, stdin=stdin, **given)


class AsyncSandbox:
    """A sandbox of a box. Paths are absolute, or beneath its working directory."""

    def __init__(self, box: ServiceBox, record: BoxSandbox) -> None:
        self._sandboxes = box.sandboxes
        self.record = record

    @property
    def id(self) -> str:
        return self.record.id

    async def exec(
        self,
        command: str | Sequence[str],
        *,
        stdin: str | bytes = b"",
        limit: int = DEFAULT_COLLECTED,
        **options: Unpack[ExecOptions],
    ) -> ExecReport:
        """Runs a program to its end; of each stream ``limit`` bytes are kept. See ``ExecOptions``.

        Text is for a shell; a sequence is an argument vector. What exceeds its timeout is killed
        with all that it started, and ``end.timed_out`` says so.
        """
        data = stdin.encode() if isinstance(stdin, str) else stdin
        spec = exec_spec(command, options, stdin=bool(data))
        return await self._sandboxes.run(self.id, spec, data, limit=limit)

    @asynccontextmanager
    async def start(
        self, command: str | Sequence[str], *, stdin: bool = False, **options: Unpack[ExecOptions]
    ) -> AsyncIterator[SandboxExec]:
        """A program that runs meanwhile, for the length of a block, to be talked to."""
        spec = exec_spec(command, options, stdin=stdin)
        running = await self._sandboxes.exec(self.id, spec)
        try:
            yield running
        finally:
            await running.close()

    async def read(self, path: str, *, user: str | None = None) -> bytes:
        """A file, of at most 100 MiB. Raises ``FileMissing``, ``TooLarge``."""
        pieces = self._sandboxes.read(self.id, self._absolute(path), user=user)
        return b"".join([data async for data in pieces])

    async def write(
        self, path: str, content: Content, *, mode: int = 0o644, user: str | None = None
    ) -> None:
        """Puts a file there, whole or not at all; directories are made. Raises ``TooLarge``."""
        source = _pieces(content)
        await self._sandboxes.write(self.id, self._absolute(path), source, mode=mode, user=user)

    async def entries(self, path: str = ".", *, user: str | None = None) -> Sequence[Entry]:
        """What a directory holds."""
        return await self._sandboxes.entries(self.id, self._absolute(path), user=user)

    async def keep(self, lifetime: float | str | None = None) -> BoxSandbox:
        """Counts as use; with ``lifetime`` it is to live for so long from now."""
        wanted = None if lifetime is None else seconds(lifetime, field="lifetime")
        self.record = await self._sandboxes.keep(self.id, wanted)
        return self.record

    async def remove(self) -> None:
        """Kills all that runs in it, and removes it. Fine where it has ended."""
        await self._sandboxes.remove(self.id)

    def _absolute(self, path: str) -> str:
        return str(PurePosixPath(self.record.spec.workdir) / path)


async def _pieces(content: Content) -> AsyncIterator[bytes]:
    if isinstance(content, Path):
        async for data in uploads.content(content):
            yield data
        return
    yield content.encode() if isinstance(content, str) else content
