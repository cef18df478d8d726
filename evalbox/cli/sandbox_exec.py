"""``evalbox sandbox exec`` and ``evalbox sandbox shell``."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Sequence

import click

from evalbox.cli import status
from evalbox.cli.command import Command, with_session
from evalbox.cli.interrupt import on_interrupt
from evalbox.cli.options import json_option
from evalbox.cli.session import Session
from evalbox.cli.terminal import Terminal, standard_input
from evalbox.domain.outcome import Outcome
from evalbox.domain.quantity import format_duration, parse_duration
from evalbox.domain.sandbox import (
    DEFAULT_EXEC_TIMEOUT,
    MAX_COLLECTED,
    MAX_EXEC_TIMEOUT,
    ExecEnd,
    ExecSpec,
)
from evalbox.errors import InvalidInput
from evalbox.requests.environment import environment
from evalbox.service.sandbox_box import SandboxExec
from evalbox.wire import sandboxes as wire

#: Bash where there is one.
_SHELL = ("/bin/sh", "-c", "command -v bash >/dev/null 2>&1 && exec bash -i; exec sh -i")


@click.command(
    "exec",
    cls=Command,
    context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False},
    epilog=status.HELP,
)
@click.argument("reference", metavar="SANDBOX")
@click.argument("command", metavar="COMMAND...", nargs=-1, required=True, type=click.UNPROCESSED)
@click.option("--stdin", "-i", is_flag=True, help="Pass on standard input.  [default: empty]")
@click.option("--workdir", "-w", metavar="PATH", help="Where it starts.")
@click.option("--user", "-u", help="UID[:GID], or names that the sandbox knows.")
@click.option("--env", "-e", multiple=True, metavar="K[=V]", help="A variable, over the sandbox's.")
@click.option("--timeout", metavar="TIME", help="After this all it started is killed. [10m]")
@click.option("--raw", is_flag=True, help="Let the terminal obey the program's output.")
@json_option
@with_session
async def sandbox_exec(
    session: Session,
    *,
    reference: str,
    command: Sequence[str],
    stdin: bool,
    workdir: str | None,
    user: str | None,
    env: Sequence[str],
    timeout: str | None,
    raw: bool,
    as_json: bool,
) -> int:
    """Run a program in a sandbox; exit with its status."""
    session.raw = raw
    words = tuple(command)[1 if command[0] == "--" else 0 :]
    limit = DEFAULT_EXEC_TIMEOUT if timeout is None else parse_duration(timeout, field="--timeout")
    spec = ExecSpec(
        command=words,
        workdir=workdir or "",
        env=environment(env, ()),
        user=user,
        stdin=stdin,
        timeout=limit,
    )
    spec.check()
    async with session.box(work=True) as box:
        if as_json:
            given = await asyncio.to_thread(sys.stdin.buffer.read) if stdin else b""
            report = await box.sandboxes.run(reference, spec, given, limit=MAX_COLLECTED)
            session.console.json(wire.exec_report(report))
            return _exit_status(session, report.end)
        running = await box.sandboxes.exec(reference, spec)
        try:
            async with on_interrupt(running.kill):
                end = await _through(session, running, stdin=stdin)
        finally:
            await running.close()
    session.console.end_of_job()
    return _exit_status(session, end)


@click.command("shell", cls=Command)
@click.argument("reference", metavar="SANDBOX")
@click.option("--workdir", "-w", metavar="PATH", help="Where it starts.")
@click.option("--user", "-u", help="UID[:GID], or names that the sandbox knows.")
@with_session
async def sandbox_shell(
    session: Session, *, reference: str, workdir: str | None, user: str | None
) -> int:
    """Open a shell in a sandbox, on this terminal."""
    terminal = Terminal.of_this_process()
    if terminal is None:
        raise InvalidInput(
            "a shell needs a terminal", hint="run a program: evalbox sandbox exec SANDBOX -- CMD"
        )
    rows, cols = terminal.size()
    spec = ExecSpec(
        command=_SHELL,
        workdir=workdir or "",
        env={"TERM": os.environ.get("TERM", "xterm")},
        user=user,
        stdin=True,
        tty=True,
        rows=rows,
        cols=cols,
        timeout=MAX_EXEC_TIMEOUT,
    )
    spec.check()
    async with session.box(work=True) as box:
        running = await box.sandboxes.exec(reference, spec)
        try:
            with terminal.raw():
                async with terminal.resizing(running.resize):
                    end = await _on_terminal(running)
        finally:
            await running.close()
    return _exit_status(session, end)


async def _through(session: Session, running: SandboxExec, *, stdin: bool) -> ExecEnd:
    feeding = asyncio.create_task(_feed(running)) if stdin else None
    try:
        async for piece in running.output():
            await asyncio.to_thread(session.console.job, piece.stream, piece.data)
        return await running.wait()
    finally:
        if feeding is not None:
            feeding.cancel()
            await asyncio.gather(feeding, return_exceptions=True)


async def _on_terminal(running: SandboxExec) -> ExecEnd:
    feeding = asyncio.create_task(_feed(running))
    try:
        async for piece in running.output():
            await asyncio.to_thread(_write, piece.data)
        return await running.wait()
    finally:
        feeding.cancel()
        await asyncio.gather(feeding, return_exceptions=True)


async def _feed(running: SandboxExec) -> None:
    async for data in standard_input():
        await running.write(data)
    await running.close_stdin()


def _write(data: bytes) -> None:
    sys.stdout.buffer.write(data)
    sys.stdout.buffer.flush()


def _exit_status(session: Session, end: ExecEnd) -> int:
    if end.timed_out:
        session.console.note(f"killed after {format_duration(end.duration)}: its time was up")
        return status.OUTCOMES[Outcome.TIMEOUT]
    return end.exit_code
