"""Sandboxes that are kept for a while, to run programs in and to put files into."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from evalbox.domain.admissible import (
    MAX_ENVIRONMENT,
    MAX_LABELS,
    MAX_VARIABLES,
    at_most,
    check_command,
)
from evalbox.domain.evaluation import Network
from evalbox.domain.ids import short
from evalbox.domain.limits import DAY, HOUR, MIB, Limits
from evalbox.domain.paths import HOME
from evalbox.domain.text import check_variable, plain_text
from evalbox.errors import InvalidInput

#: Seconds that a sandbox may live, by default and at most, and the least that may be asked for.
DEFAULT_LIFETIME, MAX_LIFETIME, MIN_LIFETIME = 1 * HOUR, 7 * DAY, 1.0
#: Seconds that a program may run, by default and at most.
DEFAULT_EXEC_TIMEOUT, MAX_EXEC_TIMEOUT = 600.0, 1 * DAY
#: Bytes of each stream that are told at once, by default and at most.
DEFAULT_COLLECTED, MAX_COLLECTED = 1 * MIB, 16 * MIB
#: Programs that run in one sandbox at once.
MAX_EXECS = 64
#: Bytes of one file that goes in or comes out.
MAX_FILE = 100 * MIB
#: A shell for people on a terminal, and one for a script that comes in: Bash where there is one.
SHELL = ("/bin/sh", "-c", "command -v bash >/dev/null 2>&1 && exec bash -i; exec sh -i")
PLAIN_SHELL = ("/bin/sh", "-c", "command -v bash >/dev/null 2>&1 && exec bash; exec sh")
#: Rows and columns of a terminal.
MAX_TERMINAL = 1000


class SandboxState(StrEnum):
    STARTING = "starting"
    RUNNING = "running"
    ENDED = "ended"


class SandboxEnd(StrEnum):
    """Why a sandbox ended. Nothing of it is left then."""

    REMOVED = "removed"
    DEADLINE = "deadline"
    IDLE = "idle"
    OUT_OF_MEMORY = "out_of_memory"
    DISK_LIMIT = "disk_limit"
    DIED = "died"
    UNRESPONSIVE = "unresponsive"
    FAILED = "failed"


class EntryKind(StrEnum):
    FILE = "file"
    DIRECTORY = "directory"
    LINK = "link"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Entry:
    """One name in a directory. ``size`` in bytes, ``modified`` in seconds since 1970.

    ``name`` keeps bytes that are not UTF-8 as surrogates.
    """

    name: str
    kind: EntryKind
    size: int
    mode: int
    modified: float


@dataclass(frozen=True, slots=True)
class SandboxSpec:
    """What a sandbox is to be. ``engine`` and ``image`` empty are the box's own.

    Of ``limits``, ``timeout``, ``output`` and ``artifacts`` mean nothing here. It lives for
    ``lifetime`` seconds, and with ``idle_timeout`` for no longer than that many seconds after it
    was last used. ``env`` is in the environment of every program that runs in it.
    """

    name: str = ""
    engine: str = ""
    image: str = ""
    user: str = "1000:1000"
    workdir: str = HOME
    network: Network = Network.NONE
    limits: Limits = field(default_factory=Limits)
    env: Mapping[str, str] = field(default_factory=dict, repr=False)
    labels: Mapping[str, str] = field(default_factory=dict)
    lifetime: float = DEFAULT_LIFETIME
    idle_timeout: float | None = None

    def check(self) -> None:
        """Raises ``InvalidInput`` that names the field."""
        for name in ("name", "engine", "image"):
            if value := getattr(self, name):
                plain_text(value, field=name)
        if "/" in self.name:
            raise InvalidInput(f"name: {self.name!r} has a slash in it", field="name")
        plain_text(self.user, field="user")
        check_absolute(self.workdir, field="workdir")
        check_environment(self.env)
        at_most(len(self.labels), MAX_LABELS, "labels")
        for key, value in self.labels.items():
            plain_text(key, field="labels")
            if value:
                plain_text(value, field="labels")
        check_seconds(self.lifetime, MIN_LIFETIME, MAX_LIFETIME, "lifetime")
        if self.idle_timeout is not None:
            check_seconds(self.idle_timeout, MIN_LIFETIME, MAX_LIFETIME, "idle_timeout")


@dataclass(frozen=True, slots=True)
class BoxSandbox:
    """A sandbox of the box. Times are seconds since 1970.

    ``spec.env`` has names only. ``engine_id`` is what its engine calls it, None before it is
    started. ``end`` and ``reason`` are told once it has ended.
    """

    id: str
    spec: SandboxSpec
    state: SandboxState
    created_at: float
    deadline: float
    last_used_at: float
    engine_id: str | None = None
    ended_at: float | None = None
    end: SandboxEnd | None = None
    reason: str = ""

    @property
    def short_id(self) -> str:
        return short(self.id)

    def expires_at(self) -> float:
        """When it is removed, if nothing uses it until then."""
        idle = math.inf if self.spec.idle_timeout is None else self.spec.idle_timeout
        return min(self.deadline, self.last_used_at + idle)


@dataclass(frozen=True, slots=True)
class SandboxFilter:
    """``labels``: all must match. ``ended``: those that have ended, too."""

    labels: Mapping[str, str] = field(default_factory=dict)
    ended: bool = False


@dataclass(frozen=True, slots=True)
class ExecSpec:
    """A program to run in a sandbox, for at most ``timeout`` seconds.

    ``workdir`` empty and ``user`` None are the sandbox's own; ``env`` goes over the sandbox's.
    ``stdin``: whether it has a standard input, which else is empty. With ``tty`` it has a terminal
    of ``rows`` and ``cols``, and all its output is standard output.
    """

    command: tuple[str, ...]
    workdir: str = ""
    env: Mapping[str, str] = field(default_factory=dict, repr=False)
    user: str | None = None
    stdin: bool = False
    tty: bool = False
    rows: int = 24
    cols: int = 80
    timeout: float = DEFAULT_EXEC_TIMEOUT

    def check(self) -> None:
        """Raises ``InvalidInput`` that names the field."""
        check_command(self.command)
        if self.workdir:
            check_absolute(self.workdir, field="workdir")
        check_environment(self.env)
        if self.user is not None:
            plain_text(self.user, field="user")
        check_size(self.rows, self.cols)
        check_seconds(self.timeout, 0.1, MAX_EXEC_TIMEOUT, "timeout")


@dataclass(frozen=True, slots=True)
class ExecPiece:
    """Output as it came; ``stream`` is 1 or 2, as descriptors are numbered."""

    stream: int
    data: bytes


@dataclass(frozen=True, slots=True)
class ExecEnd:
    """``exit_code`` is 128 + N where signal N ended it; ``duration`` in seconds."""

    exit_code: int
    timed_out: bool
    duration: float


@dataclass(frozen=True, slots=True)
class ExecReport:
    """What came of a program. Of each stream, only the beginning is kept where it is truncated."""

    end: ExecEnd
    stdout: bytes
    stderr: bytes
    stdout_truncated: bool = False
    stderr_truncated: bool = False


def check_size(rows: int, cols: int) -> None:
    for name, value in (("rows", rows), ("cols", cols)):
        if not 1 <= value <= MAX_TERMINAL:
            raise InvalidInput(
                f"{name}: {value} is out of range", hint=f"1 to {MAX_TERMINAL}", field=name
            )


def check_seconds(value: float, low: float, high: float, field: str) -> None:
    if not (math.isfinite(value) and low <= value <= high):
        raise InvalidInput(
            f"{field}: {value:g} is out of range",
            hint=f"give between {low:g} and {high:g} seconds",
            field=field,
        )


def check_environment(env: Mapping[str, str]) -> None:
    at_most(len(env), MAX_VARIABLES, "env")
    for name, value in env.items():
        check_variable(name, value)
        check_text(value, field="env")
    if sum(len(value) for value in env.values()) > MAX_ENVIRONMENT:
        raise InvalidInput("env: the values are over 1 MiB together", field="env")


def check_absolute(path: str, *, field: str) -> None:
    if not path.startswith("/") or "\0" in path or len(path.encode(errors="replace")) > 4095:
        raise InvalidInput(f"{field}: {path[:80]!r} is not an absolute path", field=field)
    check_text(path, field=field)


def check_text(text: str, *, field: str) -> None:
    """Refuses what stands for bytes that are not UTF-8: no engine takes those."""
    if any("\ud800" <= character <= "\udfff" for character in text):
        raise InvalidInput(f"{field}: is not UTF-8", field=field)
