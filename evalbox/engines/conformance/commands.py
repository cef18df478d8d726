"""How the same simple command is said to different engines."""

from __future__ import annotations

import shlex
from typing import Protocol

Step = tuple[str, ...]


class Commands(Protocol):
    """Steps, and how several of them become one command.

    Paths are beneath the working directory.
    """

    def command(self, *steps: Step) -> tuple[str, ...]: ...
    def exit(self, code: int) -> Step: ...
    def echo(self, text: str) -> Step: ...
    def error(self, text: str) -> Step: ...
    def print(self, count: int) -> Step:
        """``count`` times ``x`` to standard output, without a newline."""
        ...

    def variable(self, name: str) -> Step: ...
    def cat(self) -> Step: ...
    def show(self, path: str) -> Step: ...
    def sleep(self, seconds: float) -> Step: ...
    def write(self, path: str, text: str) -> Step: ...
    def burn(self, cpu_seconds: float, memory: int) -> Step:
        """Holds ``memory`` bytes while it computes for ``cpu_seconds``."""
        ...


_BURN = """
import time
held = bytearray(b"x") * {memory}
while time.process_time() < {cpu_seconds}: pass
"""


class ShellCommands:
    """For engines that run programs."""

    def command(self, *steps: Step) -> tuple[str, ...]:
        return ("/bin/sh", "-c", "\n".join(step[0] for step in steps))

    def exit(self, code: int) -> Step:
        return (f"exit {code}",)

    def echo(self, text: str) -> Step:
        return (f"printf '%s\\n' {shlex.quote(text)}",)

    def error(self, text: str) -> Step:
        return (f"printf '%s\\n' {shlex.quote(text)} >&2",)

    def print(self, count: int) -> Step:
        return (f"head -c {count} /dev/zero | tr '\\0' x",)

    def variable(self, name: str) -> Step:
        return (f'printf "%s\\n" "${name}"',)

    def cat(self) -> Step:
        return ("cat",)

    def show(self, path: str) -> Step:
        return (f"cat {shlex.quote(path)}",)

    def sleep(self, seconds: float) -> Step:
        return (f"sleep {seconds}",)

    def write(self, path: str, text: str) -> Step:
        name = shlex.quote(path)
        return (f'mkdir -p "$(dirname {name})" && printf %s {shlex.quote(text)} >{name}',)

    def burn(self, cpu_seconds: float, memory: int) -> Step:
        code = _BURN.format(cpu_seconds=cpu_seconds, memory=memory)
        return (f"python3 -c {shlex.quote(code)}",)


class FakeCommands:
    """For the fake engine, in its small language."""

    def command(self, *steps: Step) -> tuple[str, ...]:
        words: list[str] = []
        for step in steps:
            words += [";", *step]
        return tuple(words[1:])

    def exit(self, code: int) -> Step:
        return ("exit", str(code))

    def echo(self, text: str) -> Step:
        return ("echo", text)

    def error(self, text: str) -> Step:
        return ("error", text)

    def print(self, count: int) -> Step:
        return ("print", str(count))

    def variable(self, name: str) -> Step:
        return ("env", name)

    def cat(self) -> Step:
        return ("cat",)

    def show(self, path: str) -> Step:
        return ("cat", path)

    def sleep(self, seconds: float) -> Step:
        return ("sleep", str(seconds))

    def write(self, path: str, text: str) -> Step:
        return ("artifact", path, text)

    def burn(self, cpu_seconds: float, memory: int) -> Step:
        return ("memory", str(memory), ";", "cpu", str(cpu_seconds))
