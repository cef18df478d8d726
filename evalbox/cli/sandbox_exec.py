"""``evalbox sandbox exec`` and ``evalbox sandbox shell``."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence

import click

from evalbox.cli import status
from evalbox.cli.attending import attend, exit_status
from evalbox.cli.command import Command, with_session
from evalbox.cli.options import json_option
from evalbox.cli.session import Session
from evalbox.domain.quantity import parse_duration
from evalbox.domain.sandbox import DEFAULT_EXEC_TIMEOUT, MAX_COLLECTED, ExecSpec
from evalbox.errors import InvalidInput
from evalbox.requests.environment import environment
from evalbox.service.interactive import shell_spec
from evalbox.service.terminal import Terminal
from evalbox.wire import sandboxes as wire


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
            return exit_status(session, report.end)
        return await attend(session, await box.sandboxes.exec(reference, spec), stdin=stdin)


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
    spec = shell_spec(terminal, workdir=workdir or "", user=user)
    async with session.box(work=True) as box:
        running = await box.sandboxes.exec(reference, spec)
        return await attend(session, running, terminal, stdin=True)
