"""Programs beside a container's main process, through the engine's exec.

The engine starts a shell, which says which process it is, runs the program, and says how it ended:
of what leaves a daemon behind that holds its output open, the engine tells the end late, and all
that end after it as well. A client that goes away changes nothing for a program, and the engine
kills none: that is done inside, see ``killer``.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Coroutine, Sequence
from contextlib import aclosing, suppress
from dataclasses import dataclass, replace
from typing import Any

from evalbox.engines.docker.archive import Owner
from evalbox.engines.docker.background import Background
from evalbox.engines.docker.client import Client
from evalbox.engines.docker.execution import DockerExecution
from evalbox.engines.docker.faults import Refused
from evalbox.engines.docker.frames import Demultiplexer
from evalbox.engines.docker.identity import Records, owner_of, records_of
from evalbox.engines.docker.killer import CLEAR, KILLER, LONE_KILLER
from evalbox.engines.docker.wire import Connection, Request
from evalbox.engines.environment import with_odd_variables
from evalbox.engines.execution import KILLED, MARK, Exec
from evalbox.engines.files import Files
from evalbox.errors import EngineError, FileMissing, SandboxGone

#: Its arguments are the nonce, the directory and the program. An interrupt from the terminal is for
#: the program. The shell's own remarks, such as "Killed", are not the program's to print.
_STARTER = """
printf '%s %s\\n' "$1" "$$"
exec 3>&2 2>/dev/null
trap : INT QUIT
( cd -- "$2" 2>&3 || exit 126; shift 2; exec "$@" 2>&3 3>&- )
set -- "$1" "$?"
printf 'evalbox-end:%s %s\\n' "$1" "$2"
"""
_STARTER_END = """printf 'evalbox-end:%s %s\\n' "$1" "$2" >&3
exit "$2"
"""
#: Some 2 s pass until the engine tells the end of what something else holds open: seconds.
_TELLING_TIME = 10.0
#: Seconds within which the end of a sandbox is told, after that of what ran in it.
_ENDING_TIME = 1.0
_LOOK_FIRST, _LOOK_LAST = 0.01, 0.5
_KILL_TIME = 20.0
_ACCOUNTS_LIMIT = 1 << 20


@dataclass(frozen=True, slots=True)
class Programs:
    """Programs and files of one container, whose own ``owner`` and ``workdir`` are.

    ``ended`` gives a future that is done once the container has ended.
    """

    client: Client
    background: Background
    container: str
    owner: Owner
    workdir: str
    ended: Callable[[], asyncio.Future[Any]]

    async def start(self, program: Exec) -> DockerExecution:
        """Raises ``EngineError`` where not even the shell could be started."""
        program.check()
        owner = self.owner
        if program.user is not None and program.user != str(owner):
            owner = await owner_of(program.user, self._accounts, where="the sandbox")
        if owner == self.owner and not owner.root and "HOME" not in program.env:
            program = replace(program, env={"HOME": self.workdir, **program.env})
        return await self.background.make(self._start(program, owner), DockerExecution.close)

    @property
    def files(self) -> Files:
        return Files(self.start, self.background.finish)

    async def created(
        self,
        command: Sequence[str],
        env: Sequence[str],
        owner: Owner,
        *,
        stdin: bool = False,
        tty: bool = False,
    ) -> str:
        """The id of an exec that is yet to be started."""
        body = {
            "Cmd": list(command),
            "Env": list(env),
            "User": str(owner),
            # The shell goes elsewhere itself, and can tell where it cannot.
            "WorkingDir": "/",
            "AttachStdin": stdin,
            "AttachStdout": True,
            "AttachStderr": True,
            "Tty": tty,
        }
        request = Request("POST", f"/containers/{self.container}/exec", body=body)
        return str((await self.client.ask(request))["Id"])

    async def started(self, exec_id: str, *, tty: bool = False) -> Connection:
        body = {"Detach": False, "Tty": tty}
        return await self.client.open(
            Request("POST", f"/exec/{exec_id}/start", body=body, upgrade=True)
        )

    async def _start(self, program: Exec, owner: Owner) -> DockerExecution:
        nonce = secrets.token_hex(16)
        workdir = program.workdir or self.workdir
        words = with_odd_variables(program.command, program.env)
        exec_id = await self.created(
            ["/bin/sh", "-c", _starter(program), "sh", nonce, workdir, *words],
            [f"{MARK}={nonce}", *(f"{name}={value}" for name, value in program.env.items())],
            owner,
            stdin=program.stdin,
            tty=program.tty,
        )
        connection = await self.started(exec_id, tty=program.tty)
        mark = f"evalbox-end:{nonce} ".encode()
        handle = ExecHandle(self, exec_id, f"{MARK}={nonce}", owner)
        execution = DockerExecution(handle, connection, nonce, mark, tty=program.tty)
        try:
            await execution.greet()
        except BaseException:
            execution.hang_up()
            raise
        return execution

    async def _accounts(self, path: str) -> Records:
        """As they are in the sandbox now; the engine would look into the image."""
        content = bytearray()
        with suppress(FileMissing):
            async with aclosing(self.files.read(path, str(self.owner))) as pieces:
                async for piece in pieces:
                    content += piece
                    if len(content) > _ACCOUNTS_LIMIT:
                        break
        return records_of(bytes(content))


@dataclass(frozen=True, slots=True)
class ExecHandle:
    """An exec as the engine knows it. Its processes bear ``mark`` in their environment."""

    programs: Programs
    exec_id: str
    mark: str
    owner: Owner

    def ended(self) -> asyncio.Future[Any]:
        return self.programs.ended()

    async def finish(self, work: Coroutine[Any, Any, None]) -> None:
        await self.programs.background.finish(work)

    async def status(self) -> int:
        """The exit status that the engine knows, once it knows it, if the sandbox lives on."""
        pause, ended = _LOOK_FIRST, self.ended()
        await asyncio.wait((ended,), timeout=_ENDING_TIME)
        deadline = asyncio.get_running_loop().time() + _TELLING_TIME
        while not ended.done():
            found = await self.programs.client.ask(Request("GET", f"/exec/{self.exec_id}/json"))
            if not found["Running"] and found["ExitCode"] is not None:
                return int(found["ExitCode"])
            if asyncio.get_running_loop().time() > deadline:
                return KILLED
            await asyncio.wait((ended,), timeout=pause)
            pause = min(pause * 2, _LOOK_LAST)
        raise SandboxGone("the sandbox ended while a program ran in it")

    async def resize(self, rows: int, cols: int) -> None:
        # Refused where it has ended.
        with suppress(Refused, SandboxGone):
            query: dict[str, str | int] = {"h": rows, "w": cols}
            request = Request("POST", f"/exec/{self.exec_id}/resize", query)
            async with self.programs.client.opened(request) as connection:
                async for _ in connection.pieces():
                    pass

    async def kill(self, leader: str) -> None:
        for script in (KILLER, LONE_KILLER):
            with suppress(Refused, TimeoutError):
                async with asyncio.timeout(_KILL_TIME):
                    if await self._clear(["/bin/sh", "-c", script, "sh", self.mark, leader]):
                        return
            if self.ended().done():
                return
        raise EngineError(
            "a program in the sandbox could not be killed",
            hint="it may hold all processes that the sandbox may have: remove the sandbox",
        )

    async def _clear(self, command: Sequence[str]) -> bool:
        """Whether a killer says that nothing is left. Its end may be told late."""
        exec_id = await self.programs.created(command, [], self.owner)
        connection = await self.programs.started(exec_id)
        frames, said = Demultiplexer(), b""
        try:
            async for piece in connection.pieces(self.ended()):
                said += b"".join(chunk.data for chunk in frames.feed(piece))
                # Nothing but this: a complaint that it was not started repeats the whole script.
                if said == CLEAR:
                    return True
        finally:
            connection.close()
        return False


def _starter(program: Exec) -> str:
    if not program.tty:
        return _STARTER + _STARTER_END
    size = f"stty rows {program.rows} cols {program.cols} 2>/dev/null\n"
    return size + _STARTER + 'exit "$2"\n'
