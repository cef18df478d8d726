"""Programs that are run in a sandbox beside its main process, and the files in it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from evalbox.domain.sandbox import Entry
from evalbox.engines.base import Chunk
from evalbox.errors import InvalidInput

#: Marks, in their environment, the processes of one execution.
MARK = "EVALBOX_EXEC"
#: What a sandbox runs that is only there for other programs to run in. A shell, since it waits for
#: the orphans that those leave behind.
IDLE = ("/bin/sh", "-c", "while :; do sleep 3600 & wait; done")
#: The exit status of what was killed, as a shell has it.
KILLED = 137


@dataclass(frozen=True, slots=True)
class Exec:
    """A program to run. ``workdir`` empty is the sandbox's own; it must be there.

    ``user`` None is the sandbox's; else ``UID[:GID]``, or names that the sandbox knows now.
    ``stdin`` False is an empty standard input. With ``tty`` the program has a terminal of ``rows``
    and ``cols``, and all its output comes as standard output.
    """

    command: tuple[str, ...]
    workdir: str = ""
    env: Mapping[str, str] = field(default_factory=dict, repr=False)
    user: str | None = None
    stdin: bool = False
    tty: bool = False
    rows: int = 24
    cols: int = 80

    def check(self) -> None:
        """Raises ``InvalidInput`` for what no process can be given."""
        if not self.command or not self.command[0]:
            raise InvalidInput("the command is empty", field="command")
        words = (*self.command, *self.env, *self.env.values(), self.workdir, self.user or "")
        if any("\0" in word for word in words):
            raise InvalidInput("a NUL byte in the command, the environment or a path")
        if not all(map(is_text, words)):
            raise InvalidInput("the command, the environment or a path is not UTF-8")
        if any(not name or "=" in name for name in self.env):
            raise InvalidInput("a variable's name must not be empty or contain =", field="env")
        if self.workdir and not self.workdir.startswith("/"):
            raise InvalidInput(f"{self.workdir!r} is not an absolute path", field="workdir")


def is_text(text: str) -> bool:
    """Whether it can be written in UTF-8: what stands for other bytes cannot."""
    return not any("\ud800" <= character <= "\udfff" for character in text)


class Execution(Protocol):
    """A program on its way. Whoever started it closes it."""

    def output(self) -> AsyncIterator[Chunk]:
        """What it prints, until it has ended: not until what it leaves behind has. One reader."""
        ...

    async def write(self, data: bytes) -> None:
        """To its standard input; waits while it does not read. Fine after its end."""
        ...

    async def close_stdin(self) -> None:
        """The end of its standard input; on a terminal, the key for it."""
        ...

    async def resize(self, rows: int, cols: int) -> None:
        """Nothing happens without a terminal, or after the end."""
        ...

    async def wait(self) -> int:
        """Its exit status: 128 + N where signal N ended it. Raises ``SandboxGone``.

        Any number of callers. It does not end before it has been able to print: read ``output``.
        """
        ...

    async def kill(self) -> None:
        """Kills it, its process group, and all else that it started, daemons included.

        They are told by the session and by a mark in their environment; one that has left both
        lives on. Fine after the end: what it has left behind is killed then. Raises
        ``EngineError`` where some could not be.
        """
        ...

    async def close(self) -> None:
        """Kills it if it still runs, and lets go of it. Idempotent."""
        ...


class FileAccess(Protocol):
    """Files of a sandbox, with the rights of ``user`` (None: the sandbox's own).

    Paths are absolute. Content streams, and is never held whole; how much of it there may be is the
    caller's to bound. Raises ``FileMissing``, ``InvalidInput`` for what is of another kind or may
    not be touched, and ``SandboxGone``.
    """

    def read(self, path: str, user: str | None = None) -> AsyncIterator[bytes]:
        """The content of a regular file; a link is followed."""
        ...

    async def write(
        self,
        path: str,
        content: AsyncIterator[bytes],
        mode: int = 0o644,
        user: str | None = None,
    ) -> None:
        """Puts a file there, whole or not at all, and directories that are missing above it.

        What was there is replaced: a link itself, not what it leads to. Where ``content`` raises,
        or the caller is cancelled, nothing has changed.
        """
        ...

    async def list(self, path: str, user: str | None = None) -> Sequence[Entry]:
        """What a directory holds, by name; links are not followed."""
        ...
