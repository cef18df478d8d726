"""A task format reads something on the host into a ``Task``: what to run and what it needs.

Reading never touches a sandbox. What it needs is uploaded afterwards, through whatever callable
stores the content of a file (``Box.upload``), so that nothing is stored for a task that is refused.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from evalbox.domain.evaluation import InputFile
from evalbox.domain.quantity import format_size
from evalbox.errors import FileMissing, InvalidInput

#: Stores the content of a file; gives its blob (SHA-256, hex) and its size in bytes.
Upload = Callable[[Path | bytes], Awaitable[tuple[str, int]]]

_BEGINNING = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_NAME_LENGTH = 80
_PLACES_OF_PIPES = ("/dev/fd/", "/proc/self/fd/", "/dev/stdin")


@dataclass(frozen=True, slots=True)
class TaskFile:
    """A file that the task needs: ``path`` absolute in the sandbox, ``content`` on the host."""

    path: str
    content: Path | bytes
    mode: int = 0o644

    async def upload(self, upload: Upload) -> InputFile:
        blob, size = await upload(self.content)
        return InputFile(path=self.path, blob=blob, size=size, mode=self.mode)


@dataclass(frozen=True, slots=True)
class Task:
    """What was read: the part of an evaluation that the task itself decides."""

    name: str
    kind: str
    command: tuple[str, ...]
    files: tuple[TaskFile, ...] = ()

    async def upload(self, upload: Upload) -> tuple[InputFile, ...]:
        """Stores the files of the task; to be called when nothing can be refused any more."""
        return tuple([await file.upload(upload) for file in self.files])


@dataclass(frozen=True, slots=True)
class Description:
    """What a list says of a task: the ``language`` it is written in, and what it does in one line.

    Both come from the task itself, and may be empty.
    """

    language: str = ""
    summary: str = ""


def command_task(command: Sequence[str]) -> Task:
    """The task of running a program that is in the image. Raises ``InvalidInput`` for none."""
    if not command:
        raise InvalidInput("command: is empty", field="command")
    return Task(name=command[0][:_NAME_LENGTH], kind="command", command=tuple(command))


class Describer(Protocol):
    """Knows one kind of task when it sees it."""

    @property
    def kind(self) -> str: ...

    def recognises(self, path: Path) -> bool:
        """Whether ``path`` is to be read by this format; looks at its kind and name only."""
        ...

    def describe(self, path: Path) -> Description | None:
        """For a list of what is there: reads the beginning only, and follows no link.

        None where ``path``, which is recognised, does not look like a task.
        """
        ...


class TaskFormat(Describer, Protocol):
    """One kind of task, such as a script, of which a path says all."""

    def read(self, path: Path, arguments: Sequence[str]) -> Task:
        """Raises ``InvalidInput`` or ``FileMissing`` that names the path."""
        ...


def head(path: Path, limit: int) -> bytes:
    """The first ``limit`` bytes; nothing of what is a link, no regular file, or not readable."""
    try:
        descriptor = os.open(path, _BEGINNING)
    except OSError:
        return b""
    with open(descriptor, "rb") as file:  # noqa: PTH123 - a descriptor has no path
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            return b""
        try:
            return file.read(limit)
        except OSError:
            return b""


def read_bytes(path: Path, *, limit: int) -> bytes:
    """The content of a file that a user named, or of a pipe that a shell made for it.

    Raises ``FileMissing`` or ``InvalidInput``, also where it is longer than ``limit`` bytes.
    """
    try:
        check_readable(path)
        with path.open("rb") as file:
            content = file.read(limit + 1)
    except OSError as error:
        raise unreadable(path, error) from error
    if len(content) > limit:
        raise InvalidInput(
            f"{path}: is longer than {format_size(limit)}",
            hint="large data goes in with --file",
        )
    return content


def check_readable(path: Path) -> None:
    """Refuses what is not a file. Raises ``OSError`` where ``path`` cannot be looked at."""
    mode = path.stat().st_mode
    if stat.S_ISREG(mode):
        return
    if stat.S_ISDIR(mode):
        raise InvalidInput(f"{path}: is a directory, not a file")
    if stat.S_ISFIFO(mode) and str(path).startswith(_PLACES_OF_PIPES):
        return
    raise InvalidInput(f"{path}: is not a regular file", hint="copy its content into a file")


def unreadable(path: Path, error: OSError) -> FileMissing | InvalidInput:
    """The error to raise where the system said ``error`` about ``path``."""
    if isinstance(error, FileNotFoundError | NotADirectoryError):
        return FileMissing(f"{path}: no such file", hint="check the path")
    reason = (error.strerror or str(error)).lower()
    return InvalidInput(f"{path}: cannot be read: {reason}", hint="check the file's permissions")
