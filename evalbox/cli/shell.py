"""``evalbox shell``."""

from __future__ import annotations

from collections.abc import Sequence

import click

from evalbox.cli import status
from evalbox.cli.attending import attend
from evalbox.cli.command import Command, with_session
from evalbox.cli.options import id_argument
from evalbox.cli.session import Session
from evalbox.service.interactive import shell_spec
from evalbox.service.terminal import Terminal


@click.command("shell", cls=Command, epilog=status.HELP)
@id_argument()
@click.argument("command", metavar="[-- COMMAND...]", nargs=-1, type=click.UNPROCESSED)
@click.option("--workdir", "-w", metavar="PATH", help="Where it starts.")
@click.option("--user", "-u", help="UID[:GID], or names that the sandbox knows.")
@with_session
async def shell_command(
    session: Session,
    *,
    reference: str,
    command: Sequence[str],
    workdir: str | None,
    user: str | None,
) -> int:
    """Open a shell beside a job that runs, in its sandbox.

    Or run a command there. On a terminal it has that terminal, else standard input and output are
    passed on. It ends with the job, and the job does not end with it.
    """
    terminal = Terminal.of_this_process()
    spec = shell_spec(terminal, command, workdir=workdir or "", user=user)
    async with session.box() as box:
        running = await box.shell(await box.resolve(reference), spec)
        return await attend(session, running, terminal, stdin=True)
