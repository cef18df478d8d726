"""Staying with a program in a sandbox until it has ended."""

from __future__ import annotations

from evalbox.cli import status
from evalbox.cli.interrupt import on_interrupt
from evalbox.cli.session import Session
from evalbox.domain.outcome import Outcome
from evalbox.domain.quantity import format_duration
from evalbox.domain.sandbox import ExecEnd
from evalbox.service.interactive import interact, pass_through
from evalbox.service.sandbox_box import SandboxExec
from evalbox.service.terminal import Terminal


async def attend(
    session: Session, running: SandboxExec, terminal: Terminal | None = None, *, stdin: bool
) -> int:
    """On ``terminal``, or between the pipes of this process where that is None; its exit status.

    It is closed in the end, and the terminal is as it was.
    """
    try:
        # On a terminal an interrupt is a key, which is the program's; this is for signals.
        async with on_interrupt(running.kill):
            if terminal is not None:
                end = await interact(running, terminal)
            else:
                end = await pass_through(running, session.console.job, stdin=stdin)
    finally:
        await running.close()
    if terminal is None:
        session.console.end_of_job()
    return exit_status(session, end)


def exit_status(session: Session, end: ExecEnd) -> int:
    if end.timed_out:
        session.console.note(f"killed after {format_duration(end.duration)}: its time was up")
        return status.OUTCOMES[Outcome.TIMEOUT]
    return end.exit_code
