"""A program in a sandbox of this process, and its time limit."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping
from contextlib import aclosing
from typing import Any

from evalbox.domain.clock import Clock
from evalbox.domain.sandbox import ExecEnd, ExecPiece, ExecSpec
from evalbox.engines.execution import KILLED, Exec, Execution
from evalbox.errors import EvalboxError
from evalbox.service.audit import audited
from evalbox.store.store import Store
from evalbox.telemetry.logs import get_logger

log = get_logger(__name__)

#: Seconds that a program whose time is up may take to be killed, until that is told all the same;
#: and until its sandbox is removed.
_TELLING, _KILLING = 1.5, 30.0


def program(spec: ExecSpec, env: Mapping[str, str]) -> Exec:
    """As an engine takes it, with the whole of its environment."""
    return Exec(
        command=spec.command,
        workdir=spec.workdir,
        env=env,
        user=spec.user,
        stdin=spec.stdin,
        tty=spec.tty,
        rows=spec.rows,
        cols=spec.cols,
    )


async def audited_exec(
    store: Store,
    action: str,
    target: str,
    spec: ExecSpec,
    start: Callable[[], Awaitable[LocalExec]],
) -> LocalExec:
    """What ``start`` gives, as an entry of the audit log; what is not in that does not run."""
    detail = {"program": spec.command[0][:200], "arguments": len(spec.command) - 1}
    started: LocalExec | None = None
    try:
        async with audited(store, action, target, detail):
            started = await start()
    except BaseException:
        if started is not None:
            await started.close()
        raise
    return started


#: Starts a task under a name, and owns it.
Own = Callable[[Coroutine[Any, Any, None], str], asyncio.Task[None]]


class LocalExec:
    """Implements ``SandboxExec``. ``give_up`` is called for what cannot be killed."""

    def __init__(
        self,
        execution: Execution,
        clock: Clock,
        timeout: float,
        *,
        own: Own,
        give_up: Callable[[], Awaitable[None]],
        on_close: Callable[[], None],
    ) -> None:
        self._execution = execution
        self._clock = clock
        self._began = clock.monotonic()
        self._timed_out = False
        self._own = own
        self._give_up = give_up
        self._on_close = on_close
        self._abandoned: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._killing: asyncio.Task[None] | None = None
        self._timer = own(self._expire(timeout), "exec-timeout")
        self._closing: asyncio.Task[None] | None = None

    async def output(self) -> AsyncIterator[ExecPiece]:
        async with aclosing(self._execution.output()) as source:  # type: ignore[type-var]
            while True:
                coming = asyncio.ensure_future(anext(source, None))
                try:
                    await asyncio.wait(
                        (coming, self._abandoned), return_when=asyncio.FIRST_COMPLETED
                    )
                    chunk = coming.result() if coming.done() else None
                finally:
                    if not coming.done():
                        coming.cancel()
                        await asyncio.gather(coming, return_exceptions=True)
                if chunk is None:
                    return
                yield ExecPiece(int(chunk.stream), chunk.data)

    async def write(self, data: bytes) -> None:
        await self._execution.write(data)

    async def close_stdin(self) -> None:
        await self._execution.close_stdin()

    async def resize(self, rows: int, cols: int) -> None:
        await self._execution.resize(rows, cols)

    async def kill(self) -> None:
        await asyncio.shield(self._kill())

    async def wait(self) -> ExecEnd:
        ending = asyncio.ensure_future(self._execution.wait())
        try:
            await asyncio.wait((ending, self._abandoned), return_when=asyncio.FIRST_COMPLETED)
            code = ending.result() if ending.done() else KILLED
        finally:
            if not ending.done():
                ending.cancel()
                await asyncio.gather(ending, return_exceptions=True)
        return ExecEnd(code, self._timed_out, self._clock.monotonic() - self._began)

    async def close(self) -> None:
        if self._closing is None:
            self._closing = self._own(self._close(), "exec-close")
        # What takes so long to be killed is killed while nobody waits for it any more.
        if not self._abandoned.done():
            await asyncio.shield(self._closing)

    async def _close(self) -> None:
        try:
            if not self._timed_out:
                self._timer.cancel()
            await asyncio.gather(self._timer, return_exceptions=True)
            try:
                async with asyncio.timeout(_KILLING):
                    await self._execution.close()
            except (EvalboxError, TimeoutError):
                await self._give_up()
        finally:
            self._on_close()

    async def _expire(self, timeout: float) -> None:
        await asyncio.sleep(timeout)
        self._timed_out = True
        killing = self._kill()
        await asyncio.wait((killing,), timeout=_TELLING)
        if not killing.done() and not self._abandoned.done():
            self._abandoned.set_result(None)
        await killing

    def _kill(self) -> asyncio.Task[None]:
        if self._killing is None or self._killing.done():
            self._killing = self._own(self._kill_or_give_up(), "exec-kill")
        return self._killing

    async def _kill_or_give_up(self) -> None:
        try:
            async with asyncio.timeout(_KILLING):
                await self._execution.kill()
        except (EvalboxError, TimeoutError) as error:
            log.warning("a program could not be killed", error=str(error))
            await self._give_up()
