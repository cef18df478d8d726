"""This process's own terminal and standard input, lent to a program elsewhere."""

from __future__ import annotations

import asyncio
import os
import pty
import signal
import termios
import threading
from collections.abc import AsyncIterator, Iterator

import pytest

from evalbox.domain.sandbox import PLAIN_SHELL, SHELL, ExecEnd, ExecPiece
from evalbox.errors import InvalidInput, SandboxGone
from evalbox.service import interactive, terminal
from evalbox.service.interactive import interact, pass_through, shell_spec
from evalbox.service.terminal import Terminal, standard_input


class Program:
    """Prints what it is given, until that ends; ``gone`` is raised in place of its end."""

    def __init__(self, gone: Exception | None = None) -> None:
        self.sizes: list[tuple[int, int]] = []
        self.given: asyncio.Queue[bytes] = asyncio.Queue()
        self._gone = gone

    async def output(self) -> AsyncIterator[ExecPiece]:
        while data := await self.given.get():
            yield ExecPiece(1, data)

    async def write(self, data: bytes) -> None:
        self.given.put_nowait(data)

    async def close_stdin(self) -> None:
        self.given.put_nowait(b"")

    async def resize(self, rows: int, cols: int) -> None:
        self.sizes.append((rows, cols))

    async def kill(self) -> None:
        self.given.put_nowait(b"")

    async def wait(self) -> ExecEnd:
        if self._gone is not None:
            raise self._gone
        return ExecEnd(7, timed_out=False, duration=0.0)

    async def close(self) -> None:
        return


@pytest.fixture
def stdin(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """The end at which standard input is written."""
    reading, writing = os.pipe()
    monkeypatch.setattr(terminal, "STDIN", reading)
    yield writing
    os.close(reading)
    try:
        os.close(writing)
    except OSError:
        return


@pytest.fixture
def screen(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[int, Terminal]]:
    """A terminal of this process, and the end at which a user sits."""
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (33, 99))
    monkeypatch.setattr(terminal, "STDIN", theirs)
    monkeypatch.setattr(interactive, "to_descriptor", lambda _, data: os.write(theirs, data))
    yield ours, Terminal(theirs)
    os.close(ours)
    os.close(theirs)


async def test_nothing_is_read_that_nobody_asks_for(stdin: int) -> None:
    source = standard_input()
    os.write(stdin, b"one")
    assert await anext(source) == b"one"
    waiting = asyncio.ensure_future(anext(source))
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    os.write(stdin, b"two")
    assert os.read(terminal.STDIN, 10) == b"two"
    assert not [thread for thread in threading.enumerate() if thread.name == "stdin"]


async def test_the_end_of_standard_input(stdin: int) -> None:
    os.write(stdin, b"all")
    os.close(stdin)
    assert [data async for data in standard_input()] == [b"all"]


async def test_without_any(monkeypatch: pytest.MonkeyPatch) -> None:
    # No descriptor has this number.
    monkeypatch.setattr(terminal, "STDIN", 1 << 20)
    assert [data async for data in standard_input()] == []


async def test_pipes(stdin: int) -> None:
    os.write(stdin, b"\xff\x00")
    os.close(stdin)
    seen: list[tuple[int, bytes]] = []
    end = await pass_through(Program(), lambda *piece: seen.append(piece), stdin=True)
    assert (end.exit_code, seen) == (7, [(1, b"\xff\x00")])


async def test_a_terminal_is_lent_and_comes_back(screen: tuple[int, Terminal]) -> None:
    user, lent = screen
    before = termios.tcgetattr(lent.descriptor)
    program = Program()
    async with asyncio.timeout(10):
        running = asyncio.create_task(interact(program, lent))
        while not program.sizes:
            await asyncio.sleep(0.01)
        assert program.sizes == [(33, 99)]
        assert termios.tcgetattr(lent.descriptor) != before
        os.write(user, b"\x03\x1a\r")
        assert await asyncio.to_thread(os.read, user, 10) == b"\x03\x1a\r"
        termios.tcsetwinsize(lent.descriptor, (40, 120))
        os.kill(os.getpid(), signal.SIGWINCH)
        while len(program.sizes) < 2:
            await asyncio.sleep(0.01)
        assert program.sizes[-1] == (40, 120)
        await program.kill()
        assert (await running).exit_code == 7
    assert termios.tcgetattr(lent.descriptor) == before
    assert signal.getsignal(signal.SIGWINCH) is signal.SIG_DFL


async def test_it_comes_back_from_what_goes_wrong(screen: tuple[int, Terminal]) -> None:
    _, lent = screen
    before = termios.tcgetattr(lent.descriptor)
    program = Program(SandboxGone("the sandbox ended"))
    await program.kill()
    with pytest.raises(SandboxGone):
        await interact(program, lent)
    assert termios.tcgetattr(lent.descriptor) == before
    running = asyncio.create_task(interact(Program(), lent))
    while termios.tcgetattr(lent.descriptor) == before:
        await asyncio.sleep(0.01)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert termios.tcgetattr(lent.descriptor) == before


def test_what_is_started(screen: tuple[int, Terminal], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TERM", raising=False)
    spec = shell_spec(screen[1])
    assert (spec.command, spec.rows, spec.cols, spec.tty) == (SHELL, 33, 99, True)
    assert spec.env == {"TERM": "xterm"}
    plain = shell_spec(None)
    assert (plain.command, plain.tty, plain.stdin, plain.env) == (PLAIN_SHELL, False, True, {})
    assert shell_spec(None, ("ls", "-l"), user="0:0").command == ("ls", "-l")
    with pytest.raises(InvalidInput):
        shell_spec(None, ("",), workdir="x")
