"""What the fake engine understands: a small language in the argument vector.

Steps are parted by the argument ``;``. The first that ends the command ends it; a command that
comes to its end exits with 0, as does an empty one.

====================== ==========================================================================
``true``               nothing
``false``              exit 1
``exit N``             exit N
``signal N``           die of signal N
``echo WORD...``       the words and a newline to standard output
``error WORD...``      the same to standard error
``print N``            N bytes (``x``) to standard output, in pieces of 64 KiB
``cat [PATH]``         standard input, or a file, to standard output; exit 1 if it is not there
``env NAME``           the value of a variable and a newline; exit 1 if it is not set
``sleep SECONDS``      wait (``inf`` for ever)
``work SECONDS CORES`` the same, with so many cores in use
``artifact PATH TEXT`` write a file
``memory N``           use N bytes of memory from here on
``disk N``             use N bytes of disk from here on
``cpu SECONDS``        have used that much processor time
``oom``                exceed the memory limit: killed
``tty``                the name of the terminal; exit 1 where there is none
``stty size``          its rows and columns
``flaky N``            exit 1 the first N times that this command runs on this host
``infra [N]``          ``launch`` raises ``EngineError`` (the first N times; default always)
``crash-engine``       the engine goes down with the launch: ``EngineUnavailable`` until it is up
``vanish``             the sandbox is gone from here on: ``SandboxGone``
====================== ==========================================================================

Anything else is told on standard error and exits with 127, as a shell does. The shells that people
and scripts are given read lines of this language.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from evalbox.engines.base import Exit, Launch, Stream
from evalbox.engines.execution import IDLE

PIECE = 64 * 1024


@dataclass(frozen=True, slots=True)
class Print:
    stream: Stream
    data: bytes


@dataclass(frozen=True, slots=True)
class Copy:
    """``path`` None is standard input."""

    path: str | None


@dataclass(frozen=True, slots=True)
class Sleep:
    """``cores`` are in use meanwhile."""

    seconds: float
    cores: float = 0.0


@dataclass(frozen=True, slots=True)
class Write:
    path: str
    data: bytes


@dataclass(frozen=True, slots=True)
class Use:
    cpu_seconds: float = 0.0
    memory: int = 0
    disk: int = 0


@dataclass(frozen=True, slots=True)
class End:
    exit: Exit


@dataclass(frozen=True, slots=True)
class Exhaust:
    """Exceeds the memory limit."""


@dataclass(frozen=True, slots=True)
class Fail:
    """Only the first ``times`` launches of the command on a host end with ``exit``."""

    times: int
    exit: Exit


@dataclass(frozen=True, slots=True)
class Break:
    """The first ``times`` launches of the command on a host (None: all) raise ``EngineError``."""

    times: int | None = None


@dataclass(frozen=True, slots=True)
class AskTerminal:
    """Its ``name``, or its size."""

    name: bool


@dataclass(frozen=True, slots=True)
class CrashEngine:
    pass


@dataclass(frozen=True, slots=True)
class Vanish:
    pass


Step = (
    Print | Copy | Sleep | Write | Use | End | Exhaust | Fail | Break | AskTerminal
    | CrashEngine | Vanish
)  # fmt: skip
Behaviour = Callable[[Launch], Sequence[Step]]


def interpret(launch: Launch) -> tuple[Step, ...]:
    """The steps of a command in the small language."""
    if launch.command in ((), ("true",)):
        return ()
    if launch.command == IDLE:
        return (Sleep(math.inf),)
    return steps_of(launch.command, launch)


def steps_of(command: Sequence[str], launch: Launch) -> tuple[Step, ...]:
    """Of a command that is run with the environment of ``launch``."""
    steps: list[Step] = []
    for words in parted(command):
        try:
            steps.extend(_steps(words, launch))
        except (ValueError, IndexError):
            steps.extend(_complaint(f"{' '.join(words)}: not understood", 2))
    return tuple(steps)


def pretend(launch: Launch) -> tuple[Step, ...]:
    """Says what would run, and is done: for dry runs."""
    line = " ".join(launch.command) + "\n"
    return (Print(Stream.STDOUT, b"would run: " + line.encode()),)


def parted(command: Sequence[str]) -> Iterator[list[str]]:
    words: list[str] = []
    for word in command:
        if word == ";":
            if words:
                yield words
            words = []
        else:
            words.append(word)
    if words:
        yield words


def _steps(words: list[str], launch: Launch) -> Sequence[Step]:
    name, arguments = words[0], words[1:]
    meaning = _WORDS.get(name)
    if meaning is None:
        return _complaint(f"{name}: not found", 127)
    return meaning(arguments, launch)


def _env(arguments: list[str], launch: Launch) -> Sequence[Step]:
    if arguments[0] not in launch.env:
        return (End(Exit(code=1)),)
    return (Print(Stream.STDOUT, _line([launch.env[arguments[0]]])),)


def _stty(arguments: list[str], _: Launch) -> Sequence[Step]:
    if arguments != ["size"]:
        raise ValueError(arguments)
    return (AskTerminal(name=False),)


def _signal(arguments: list[str], _: Launch) -> Sequence[Step]:
    number = int(arguments[0])
    return (End(Exit(code=128 + number, signal=number)),)


def _complaint(text: str, code: int) -> Sequence[Step]:
    return (Print(Stream.STDERR, _encoded(text + "\n")), End(Exit(code=code)))


def _flood(count: int) -> Sequence[Step]:
    whole, rest = divmod(count, PIECE)
    steps: list[Step] = [Print(Stream.STDOUT, b"x" * PIECE)] * whole
    if rest:
        steps.append(Print(Stream.STDOUT, b"x" * rest))
    return steps


def _seconds(word: str) -> float:
    seconds = float(word)
    if math.isnan(seconds) or seconds < 0:
        raise ValueError(word)
    return seconds


def _line(words: Sequence[str]) -> bytes:
    return _encoded(" ".join(words) + "\n")


def _encoded(text: str) -> bytes:
    # Arguments that were not UTF-8 come as surrogates.
    return text.encode(errors="surrogateescape")


_WORDS: dict[str, Callable[[list[str], Launch], Sequence[Step]]] = {
    "true": lambda *_: (),
    "false": lambda *_: (End(Exit(code=1)),),
    "exit": lambda words, _: (End(Exit(code=int(words[0]))),),
    "signal": _signal,
    "echo": lambda words, _: (Print(Stream.STDOUT, _line(words)),),
    "error": lambda words, _: (Print(Stream.STDERR, _line(words)),),
    "print": lambda words, _: _flood(int(words[0])),
    "cat": lambda words, _: (Copy(words[0] if words else None),),
    "env": _env,
    "sleep": lambda words, _: (Sleep(_seconds(words[0])),),
    "work": lambda words, _: (Sleep(_seconds(words[0]), _seconds(words[1])),),
    "artifact": lambda words, _: (Write(words[0], _encoded(words[1])),),
    "memory": lambda words, _: (Use(memory=int(words[0])),),
    "disk": lambda words, _: (Use(disk=int(words[0])),),
    "cpu": lambda words, _: (Use(cpu_seconds=_seconds(words[0])),),
    "tty": lambda *_: (AskTerminal(name=True),),
    "stty": _stty,
    "oom": lambda *_: (Exhaust(),),
    "flaky": lambda words, _: (Fail(int(words[0]), Exit(code=1)),),
    "infra": lambda words, _: (Break(int(words[0]) if words else None),),
    "crash-engine": lambda *_: (CrashEngine(),),
    "vanish": lambda *_: (Vanish(),),
}
