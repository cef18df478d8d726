"""A program beside a fake sandbox's main process, in the same small language."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from pathlib import PurePosixPath

from evalbox.domain.sandbox import PLAIN_SHELL, SHELL, Entry, EntryKind
from evalbox.engines.base import Chunk, Exit, Launch, Stream
from evalbox.engines.execution import KILLED, Exec
from evalbox.engines.fake.host import FakeState
from evalbox.engines.fake.language import (
    AskTerminal,
    Behaviour,
    Copy,
    End,
    Print,
    Sleep,
    Step,
    Write,
    interpret,
    parted,
    steps_of,
)
from evalbox.engines.fake.lines import Lines, words_of
from evalbox.engines.files import check_path
from evalbox.errors import FileMissing, InvalidInput, SandboxGone

FILE_MODE = 0o644


class FakeExecution:
    """``size`` is that of its terminal, in rows and columns."""

    def __init__(
        self,
        state: FakeState,
        program: Exec,
        sleep: Callable[[float], Awaitable[object]],
        behaviour: Behaviour = interpret,
    ) -> None:
        self._state = state
        self._program = program
        self._sleep = sleep
        self._behaviour = behaviour
        self._stdin: asyncio.Queue[bytes | None] = asyncio.Queue()
        self._printed: asyncio.Queue[Chunk | None] = asyncio.Queue()
        self._status: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self.size = (program.rows, program.cols)
        if not program.stdin:
            self._stdin.put_nowait(None)
        self._launch = Launch(
            program.command, program.workdir or state.profile.workdir, program.env
        )
        work = self._shell() if program.command in (SHELL, PLAIN_SHELL) else self._command()
        self._running = asyncio.get_running_loop().create_task(work)
        state.executions.add(self)

    async def output(self) -> AsyncIterator[Chunk]:
        while (chunk := await self._printed.get()) is not None:
            yield chunk

    async def write(self, data: bytes) -> None:
        if self._program.stdin and data:
            self._stdin.put_nowait(data)

    async def close_stdin(self) -> None:
        self._stdin.put_nowait(None)

    async def resize(self, rows: int, cols: int) -> None:
        self.size = (rows, cols)

    async def wait(self) -> int:
        return await asyncio.shield(self._status)

    async def kill(self) -> None:
        self.end(KILLED)

    async def close(self) -> None:
        self.end(KILLED)

    def end(self, status: int | None) -> None:
        """The first end counts. None: the sandbox has ended, and the program with it."""
        if self._status.done():
            return
        if status is None:
            self._status.set_exception(SandboxGone("the sandbox ended while a program ran in it"))
            self._status.exception()
        else:
            self._status.set_result(status)
        self._printed.put_nowait(None)
        self._state.executions.discard(self)
        self._running.cancel()

    async def _command(self) -> None:
        self.end(await self._run(self._behaviour(self._launch)))

    async def _shell(self) -> None:
        """Runs line after line, until its input ends or one of them is ``exit``."""
        status = 0
        lines = Lines(self._stdin.get, self._print, tty=self._program.tty)
        while (line := await lines.next()) is not None:
            for words in parted(words_of(line)):
                if words != ["exit"]:
                    status = await self._run(steps_of(words, self._launch))
                if words[0] == "exit":
                    return self.end(status)
        return self.end(status)

    async def _run(self, steps: Sequence[Step]) -> int:
        """The exit status."""
        for step in steps:
            if (how := await self._perform(step)) is not None:
                return how.code or 0
        return 0

    async def _perform(self, step: Step) -> Exit | None:
        match step:
            case Print(stream, data):
                self._print(stream, data)
            case Copy(None):
                while (piece := await self._stdin.get()) is not None:
                    self._print(Stream.STDOUT, piece)
            case Copy(path) if path is not None:
                where = self._path(path)
                if where not in self._state.files:
                    self._print(Stream.STDERR, f"cat: {path}: no such file\n".encode())
                    return Exit(code=1)
                self._print(Stream.STDOUT, self._state.files[where])
            case Sleep(seconds):
                await self._sleep(seconds)
            case Write(path, data):
                self._state.files[self._path(path)] = data
            case AskTerminal() if not self._program.tty:
                self._print(Stream.STDOUT, b"not a tty\n")
                return Exit(code=1)
            case AskTerminal(name):
                rows, cols = self.size
                said = b"/dev/pts/0\n" if name else f"{rows} {cols}\n".encode()
                self._print(Stream.STDOUT, said)
            case End(how):
                return how
            case _:
                pass
        return None

    def _path(self, name: str) -> str:
        workdir = self._program.workdir or self._state.profile.workdir
        return str(PurePosixPath(workdir, name))

    def _print(self, stream: Stream, data: bytes) -> None:
        if data and self._program.tty:
            # As a terminal has it.
            self._printed.put_nowait(Chunk(Stream.STDOUT, data.replace(b"\n", b"\r\n")))
        elif data:
            self._printed.put_nowait(Chunk(stream, data))


class FakeFiles:
    """Files of a fake sandbox: a mapping from paths to contents, without users."""

    def __init__(self, state: FakeState, check: Callable[[], None]) -> None:
        self._state = state
        self._check = check

    async def read(self, path: str, user: str | None = None) -> AsyncIterator[bytes]:
        where = self._checked(path)
        if where not in self._state.files:
            if self._beneath(where):
                raise InvalidInput(f"{path} is a directory", field="path")
            raise FileMissing(f"there is no {path} in the sandbox")
        content = self._state.files[where]
        for start in range(0, len(content), 1 << 16):
            yield content[start : start + (1 << 16)]

    async def write(
        self,
        path: str,
        content: AsyncIterator[bytes],
        mode: int = FILE_MODE,
        user: str | None = None,
    ) -> None:
        where = self._checked(path)
        if where == "/" or self._beneath(where):
            raise InvalidInput(f"{path} is a directory", field="path")
        data = b"".join([piece async for piece in content])
        self._check()
        self._state.files[where] = data

    async def list(self, path: str, user: str | None = None) -> Sequence[Entry]:
        where = self._checked(path)
        beneath = self._beneath(where)
        if not beneath and where not in ("/", self._state.profile.workdir):
            if where in self._state.files:
                raise InvalidInput(f"{path} is of another kind than was asked for", field="path")
            raise FileMissing(f"there is no {path} in the sandbox")
        found: dict[str, Entry] = {}
        for name, content in beneath.items():
            first, _, rest = name.partition("/")
            kind = EntryKind.DIRECTORY if rest else EntryKind.FILE
            size, mode = (0, 0o755) if rest else (len(content), FILE_MODE)
            found[first] = Entry(first, kind, size, mode, 0.0)
        return [found[name] for name in sorted(found)]

    def _checked(self, path: str) -> str:
        where = check_path(path)
        self._check()
        return where

    def _beneath(self, where: str) -> dict[str, bytes]:
        prefix = where.rstrip("/") + "/"
        return {
            name.removeprefix(prefix): content
            for name, content in self._state.files.items()
            if name.startswith(prefix)
        }
