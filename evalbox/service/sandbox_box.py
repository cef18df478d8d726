"""What front ends can do with the sandboxes of a box."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Protocol

from evalbox.domain.sandbox import (
    DEFAULT_COLLECTED,
    BoxSandbox,
    Entry,
    ExecEnd,
    ExecPiece,
    ExecReport,
    ExecSpec,
    SandboxFilter,
    SandboxSpec,
)


class SandboxExec(Protocol):
    """A program that runs in a sandbox. Whoever started it closes it."""

    def output(self) -> AsyncIterator[ExecPiece]:
        """What it prints, until it has ended. One reader."""
        ...

    async def write(self, data: bytes) -> None:
        """To its standard input; waits while it does not read. Fine after its end."""
        ...

    async def close_stdin(self) -> None: ...

    async def resize(self, rows: int, cols: int) -> None: ...

    async def kill(self) -> None:
        """Kills it, its process group, and all else that it started."""
        ...

    async def wait(self) -> ExecEnd:
        """How it ended, once its output has been read. Raises ``SandboxGone``."""
        ...

    async def close(self) -> None:
        """Kills it if it still runs, and lets go of it. Idempotent."""
        ...


class Sandboxes(Protocol):
    """Sandboxes that are kept for programs to run in.

    ``reference`` is an id, an unambiguous beginning of one or of its short form, or the name of one
    that lives. What asks for one that has ended raises ``SandboxNotFound``, and ``SandboxGone``
    where it ends meanwhile.
    """

    async def create(self, spec: SandboxSpec) -> BoxSandbox:
        """Returns once it runs. Raises ``Busy`` where there is no room for it, and ``Conflict``."""
        ...

    async def list(
        self, query: SandboxFilter, *, limit: int = 100, after: str | None = None
    ) -> Sequence[BoxSandbox]:
        """The newest first; ``after`` is the last id of the page before."""
        ...

    async def get(self, reference: str) -> BoxSandbox:
        """Also of one that has ended, for a day."""
        ...

    async def keep(self, reference: str, lifetime: float | None = None) -> BoxSandbox:
        """Counts as use; with ``lifetime`` it is to live for so many seconds from now."""
        ...

    async def remove(self, reference: str) -> None:
        """Kills all that runs in it, and removes it. Fine where it has ended."""
        ...

    async def exec(self, reference: str, spec: ExecSpec) -> SandboxExec:
        """Raises ``Busy`` where too many programs run in it."""
        ...

    async def run(
        self,
        reference: str,
        spec: ExecSpec,
        stdin: bytes = b"",
        *,
        limit: int = DEFAULT_COLLECTED,
    ) -> ExecReport:
        """Runs a program to its end; ``limit`` bytes of each stream are kept."""
        ...

    def read(self, reference: str, path: str, *, user: str | None = None) -> AsyncIterator[bytes]:
        """A file of at most 100 MiB. Raises ``FileMissing``, ``TooLarge``."""
        ...

    async def write(
        self,
        reference: str,
        path: str,
        content: AsyncIterator[bytes],
        *,
        mode: int = 0o644,
        user: str | None = None,
    ) -> None:
        """Puts a file of at most 100 MiB there, whole or not at all. Raises ``TooLarge``."""
        ...

    async def entries(
        self, reference: str, path: str, *, user: str | None = None
    ) -> Sequence[Entry]:
        """What a directory holds, by name."""
        ...
