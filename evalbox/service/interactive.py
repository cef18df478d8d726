"""A program elsewhere, as if it ran at this process's own terminal or between its own pipes."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Sequence
from contextlib import aclosing

from evalbox.domain.sandbox import MAX_EXEC_TIMEOUT, PLAIN_SHELL, SHELL, ExecEnd, ExecSpec
from evalbox.service.sandbox_box import SandboxExec
from evalbox.service.terminal import Terminal, standard_input

#: Puts a piece of a stream, 1 or 2, where it belongs. Called in a thread.
Write = Callable[[int, bytes], None]


def shell_spec(
    terminal: Terminal | None,
    command: Sequence[str] = (),
    *,
    workdir: str = "",
    user: str | None = None,
) -> ExecSpec:
    """A shell, or ``command``, on ``terminal``, or between pipes where that is None.

    Raises ``InvalidInput``.
    """
    rows, cols = terminal.size() if terminal is not None else (24, 80)
    spec = ExecSpec(
        command=tuple(command) or (SHELL if terminal is not None else PLAIN_SHELL),
        workdir=workdir,
        env={"TERM": os.environ.get("TERM") or "xterm"} if terminal is not None else {},
        user=user,
        stdin=True,
        tty=terminal is not None,
        rows=rows,
        cols=cols,
        timeout=MAX_EXEC_TIMEOUT,
    )
    spec.check()
    return spec


async def interact(running: SandboxExec, terminal: Terminal) -> ExecEnd:
    """Gives ``terminal`` to a program that was started on one, until it has ended.

    The terminal is as before when this returns, however it does. Whoever started the program closes
    it. Raises ``SandboxGone`` where the sandbox ended, and ``OSError`` where the terminal did.
    """
    with terminal.raw():
        async with terminal.resizing(running.resize):
            return await pass_through(running, to_descriptor, stdin=True)


async def pass_through(running: SandboxExec, write: Write, *, stdin: bool) -> ExecEnd:
    """Hands what it prints to ``write``, and with ``stdin`` this process's standard input to it."""
    feeding = asyncio.create_task(_feed(running), name="stdin") if stdin else None
    try:
        async for piece in running.output():
            await asyncio.to_thread(write, piece.stream, piece.data)
        return await running.wait()
    finally:
        if feeding is not None:
            feeding.cancel()
            await asyncio.gather(feeding, return_exceptions=True)


def to_descriptor(stream: int, data: bytes) -> None:
    """As it is, to this process's own stream of that number."""
    view = memoryview(data)
    while view:
        view = view[os.write(stream, view) :]


async def _feed(running: SandboxExec) -> None:
    async with aclosing(standard_input()) as pieces:  # type: ignore[type-var]
        async for data in pieces:
            await running.write(data)
    await running.close_stdin()
