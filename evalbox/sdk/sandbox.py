"""A sandbox that is kept for a while, for programs without asyncio."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Unpack

from evalbox.domain.sandbox import (
    DEFAULT_COLLECTED,
    BoxSandbox,
    Entry,
    ExecEnd,
    ExecPiece,
    ExecReport,
)
from evalbox.sdk.async_sandbox import AsyncSandbox, ExecOptions
from evalbox.sdk.job import Content
from evalbox.sdk.thread import LoopThread
from evalbox.service.sandbox_box import SandboxExec


class Program:
    """A program that runs in a sandbox."""

    def __init__(self, running: SandboxExec, thread: LoopThread) -> None:
        self._running = running
        self._thread = thread

    def output(self) -> Iterator[ExecPiece]:
        """What it prints, as it comes, until it has ended."""
        return self._thread.iterate(self._running.output)

    def write(self, data: bytes) -> None:
        """To its standard input; waits while it does not read. Fine after its end."""
        self._thread.call(self._running.write(data))

    def close_stdin(self) -> None:
        self._thread.call(self._running.close_stdin())

    def kill(self) -> None:
        """Kills it, and all that it started."""
        self._thread.call(self._running.kill())

    def wait(self) -> ExecEnd:
        """How it ended, once its output has been read. Raises ``SandboxGone``."""
        return self._thread.call(self._running.wait())


class Sandbox:
    """As ``AsyncSandbox``, but its methods return when it is done."""

    def __init__(self, sandbox: AsyncSandbox, thread: LoopThread) -> None:
        self._sandbox = sandbox
        self._thread = thread

    @property
    def id(self) -> str:
        return self._sandbox.id

    @property
    def record(self) -> BoxSandbox:
        """How it stood when it was last looked at."""
        return self._sandbox.record

    # What follows is written by packaging/sdk/write.py, out of async_sandbox.py.

    def exec(
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
        return self._thread.call(self._sandbox.exec(command, stdin=stdin, limit=limit, **options))

    @contextmanager
    def start(
        self, command: str | Sequence[str], *, stdin: bool = False, **options: Unpack[ExecOptions]
    ) -> Iterator[Program]:
        """A program that runs meanwhile, for the length of a block, to be talked to."""
        with self._thread.entered(self._sandbox.start(command, stdin=stdin, **options)) as made:
            yield Program(made, self._thread)

    def read(self, path: str, *, user: str | None = None) -> bytes:
        """A file, of at most 100 MiB. Raises ``FileMissing``, ``TooLarge``."""
        return self._thread.call(self._sandbox.read(path, user=user))

    def write(
        self, path: str, content: Content, *, mode: int = 0o644, user: str | None = None
    ) -> None:
        """Puts a file there, whole or not at all; directories are made. Raises ``TooLarge``."""
        self._thread.call(self._sandbox.write(path, content, mode=mode, user=user))

    def entries(self, path: str = ".", *, user: str | None = None) -> Sequence[Entry]:
        """What a directory holds."""
        return self._thread.call(self._sandbox.entries(path, user=user))

    def keep(self, lifetime: float | str | None = None) -> BoxSandbox:
        """Counts as use; with ``lifetime`` it is to live for so long from now."""
        return self._thread.call(self._sandbox.keep(lifetime))

    def remove(self) -> None:
        """Kills all that runs in it, and removes it. Fine where it has ended."""
        self._thread.call(self._sandbox.remove())
