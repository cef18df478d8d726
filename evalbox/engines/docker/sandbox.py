"""One container: from the shell that waits to the exit status of what it became."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import aclosing
from dataclasses import dataclass

from evalbox.domain.attempt import Usage
from evalbox.engines.base import Chunk, Exit, Launch, SourceFile, Stream
from evalbox.engines.docker import ending
from evalbox.engines.docker.archive import Owner, files_archive
from evalbox.engines.docker.background import Background
from evalbox.engines.docker.client import Client
from evalbox.engines.docker.faults import CONFLICT, Refused
from evalbox.engines.docker.frames import Demultiplexer
from evalbox.engines.docker.gauge import Gauge
from evalbox.engines.docker.keeper import Keeper
from evalbox.engines.docker.programs import Programs
from evalbox.engines.docker.removal import Remover
from evalbox.engines.docker.script import LAUNCHED, Plan, may_inline, plan
from evalbox.engines.docker.wire import Connection, Request
from evalbox.engines.execution import Exec, Execution
from evalbox.engines.files import Files
from evalbox.errors import EngineError, EngineUnavailable, SandboxGone


@dataclass(frozen=True, slots=True)
class Container:
    """What is known of a started container. ``pid`` is its first process on the host, or 0.

    ``mounted`` are the engine's own files that it sees, such as its ``/etc/hosts``.
    """

    id: str
    owner: Owner
    workdir: str
    pid: int
    gvisor: bool
    running: bool = True
    mounted: tuple[str, ...] = ()


class DockerSandbox:
    """A sandbox that this process made has ``attached``, its streams; one adopted has None."""

    def __init__(
        self,
        client: Client,
        background: Background,
        remover: Remover,
        container: Container,
        attached: Connection | None,
    ) -> None:
        self._client = client
        self._background = background
        self._remover = remover
        self._container = container
        self._attached = attached
        self._adopted = attached is None
        self._launch: Launch | None = None
        self._plan: tuple[Launch, Plan] | None = None
        self._ending: asyncio.Task[Exit] | None = None
        self._let_go = False
        self._killed = False
        self._keeper = Keeper(client, container.id, container.owner, self._ended)
        self._programs = Programs(
            client, background, container.id, container.owner, container.workdir, self._ended
        )
        self._gauge = Gauge(
            client,
            container.id,
            container.pid,
            gvisor=container.gvisor,
            mounted=container.mounted,
        )

    @property
    def id(self) -> str:
        return self._container.id

    async def prepare(self, launch: Launch) -> None:
        """Puts in what is too large to travel with the launch.

        Into an adopted sandbox only if it has not been launched: its files are the job's by then.
        """
        staged = (await self._planned(launch)).staged
        if not staged or (self._adopted and await self._was_launched()):
            return
        owner = self._container.owner
        await self._background.finish(
            self._client.call(
                lambda api: api.put_archive(
                    self.id, "/", files_archive(staged, owner, launch.workdir)
                )
            )
        )

    async def launch(self, launch: Launch) -> None:
        if self._launch is not None:
            return
        script = (await self._planned(launch)).script
        self._gauge.watch()
        if self._attached is None:
            await self._launch_adopted(script)
        elif self._attached.ended:
            raise SandboxGone("the sandbox ended before it was launched")
        else:
            await self._attached.send(script)
        self._launch = launch

    async def output(self, skip: Mapping[Stream, int] | None = None) -> AsyncIterator[Chunk]:
        """What is printed; of an adopted sandbox, what the engine has kept of it."""
        seen = dict.fromkeys(Stream, 0) | dict(skip or {})
        attached, self._attached = self._attached, None
        connection = attached or await self._logs(follow=1)
        async with aclosing(self._chunks(connection, skip)) as chunks:
            async for chunk in chunks:
                seen[chunk.stream] += len(chunk.data)
                yield chunk
        await self.wait()
        if attached is None:
            # One who follows may miss the last line, where it was not ended.
            async with aclosing(self._chunks(await self._logs(follow=0), seen)) as chunks:
                async for chunk in chunks:
                    yield chunk

    async def artifacts(self) -> AsyncIterator[bytes]:
        if self._launch is None:
            raise EngineError("artifacts are of a sandbox that has been launched")
        if self._launch.artifacts:
            async with aclosing(self._keeper.stream(self._launch)) as tar:
                async for data in tar:
                    yield data

    async def wait(self) -> Exit:
        ending = self._ended()
        try:
            return await asyncio.shield(ending)
        except asyncio.CancelledError:
            asking = asyncio.current_task()
            if ending.cancelled() and not (asking and asking.cancelling()):
                raise EngineUnavailable("the engine was closed while a sandbox ran") from None
            raise

    async def usage(self) -> Usage | None:
        return await self._gauge.read()

    async def exec(self, program: Exec) -> Execution:
        return await self._programs.start(program)

    @property
    def files(self) -> Files:
        return self._programs.files

    async def kill(self) -> None:
        self._killed = True
        container = self._container
        # The engine would ask gVisor's kernel, which a job can keep from answering for 10 s.
        if container.gvisor and container.pid and ending.kill(container.pid, container.id):
            return
        try:
            await self._background.finish(self._client.call(lambda api: api.kill(self.id)))
        except SandboxGone:
            return
        except Refused as error:
            if error.status != CONFLICT:
                raise

    async def destroy(self) -> None:
        self._hang_up()
        await self._background.finish(self._remover.remove(self.id, self._container.pid))

    def let_go(self) -> None:
        """Asks and hears nothing more of the sandbox, which lives on."""
        self._hang_up()
        self._let_go = True
        if self._ending is not None:
            self._ending.cancel()

    def _hang_up(self) -> None:
        self._gauge.close()
        if self._attached is not None:
            self._attached.close()

    def _ended(self) -> asyncio.Task[Exit]:
        """Waits for the end, once for all who ask; a wait that failed is begun anew."""
        task = self._ending
        if self._let_go:
            raise EngineUnavailable("the engine has been closed")
        if task is None or (task.done() and (task.cancelled() or task.exception())):
            task = self._ending = self._background.start(self._end())
        return task

    async def _planned(self, launch: Launch) -> Plan:
        if self._plan is None or self._plan[0] != launch:
            contents = await asyncio.to_thread(_contents, launch) if may_inline(launch) else None
            made = plan(launch, root=self._container.owner.root, contents=contents)
            self._plan = launch, made
        return self._plan[1]

    async def _launch_adopted(self, script: bytes) -> None:
        """Sends the script once more, through an input of its own."""
        if not self._container.running:
            return
        request = Request(
            "POST", f"/containers/{self.id}/attach", {"stream": 1, "stdin": 1}, upgrade=True
        )
        try:
            async with self._client.opened(request) as connection:
                await connection.send(script)
        except Refused as error:
            if error.status != CONFLICT:
                raise

    async def _was_launched(self) -> bool:
        """Whether it has begun with files that were staged. What has ended was launched."""
        return await self._keeper.test(f"[ -e {LAUNCHED} ]") is not False

    async def _logs(self, *, follow: int) -> Connection:
        query: dict[str, str | int] = {"follow": follow, "stdout": 1, "stderr": 1}
        return await self._client.open(Request("GET", f"/containers/{self.id}/logs", query))

    async def _chunks(
        self, connection: Connection, skip: Mapping[Stream, int] | None
    ) -> AsyncGenerator[Chunk, None]:
        frames = Demultiplexer(skip)
        try:
            async for piece in connection.pieces(self._ended()):
                for chunk in frames.feed(piece):
                    yield chunk
        finally:
            connection.close()

    async def _end(self) -> Exit:
        await self._client.ask(Request("POST", f"/containers/{self.id}/wait"))
        found = await self._client.call(lambda api: api.inspect_container(self.id))
        state = found["State"]
        return Exit(
            code=int(state["ExitCode"]),
            # The engine learns of it beside the end, and not always in time.
            oom_killed=bool(state["OOMKilled"]) or self._gauge.oom_killed,
            error=str(state.get("Error") or "") or self._mishap(),
        )

    def _mishap(self) -> str:
        """What ended the sandbox, if neither the job nor we did."""
        # A job can only end gVisor's process as it ends itself; a signal comes from the host.
        number = self._gauge.killed_by
        if number is None or self._killed or not self._container.gvisor:
            return ""
        return f"the sandbox was killed from outside, by signal {number}"


def _contents(launch: Launch) -> dict[str, bytes]:
    sources = {file.path: file for file in launch.files}
    if launch.stdin is not None:
        sources[""] = launch.stdin
    return {path: _content(path or "standard input", file) for path, file in sources.items()}


def _content(name: str, file: SourceFile) -> bytes:
    try:
        with file.source.open("rb") as source:
            content = source.read(file.size + 1)
    except OSError as error:
        raise EngineError(f"the file for {name} cannot be read: {error}") from error
    if len(content) != file.size:
        raise EngineError(f"the file for {name} is not of the size recorded: {file.source}")
    return content
