"""``evalbox task``: a person attempts a task."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack, suppress
from typing import Any

import click

from evalbox.agents.simple import read_submission
from evalbox.cli import render, status
from evalbox.cli.attending import attend
from evalbox.cli.command import Command, Group, with_session
from evalbox.cli.console import STDERR
from evalbox.cli.interrupt import on_interrupt
from evalbox.cli.options import id_argument, json_option
from evalbox.cli.session import Session
from evalbox.cli.watch import conclude
from evalbox.domain.inert import inert, inert_line
from evalbox.domain.state import FINAL
from evalbox.host.attaching import attach
from evalbox.requests.request import Request
from evalbox.service import human
from evalbox.service.box import Box
from evalbox.service.cancelling import cancel_unfinished
from evalbox.service.local import LocalBox
from evalbox.service.terminal import Terminal

#: The driver's line when it is the agent's turn.
_OPEN = b"==> agent\n"
#: Seconds.
_LOOK, _PATIENCE = 0.1, 10.0
_HOW = """{name} is open, and what is to be done stands in {home}/instructions.txt:
  evalbox task shell {id}     work there, in a shell of your own
  evalbox task score {id}     see what it is worth so far, where the task tells
  evalbox task submit {id}    be done: with submission.txt, or with --submission TEXT|@FILE"""


@click.group("task", cls=Group, default="start")
def task_command() -> None:
    """Attempt a task yourself: open it, work, score, submit."""


@task_command.command("start", epilog=status.HELP)
@click.argument("path", metavar="FAMILY/TASK")
@click.option("--timeout", metavar="TIME", default=human.WORKDAY, show_default=True,
              help="After this it is over.")  # fmt: skip
@click.option("--secrets", metavar="FILE", help="NAME=VALUE lines for required variables.")
@click.option("--env", "-e", multiple=True, metavar="K[=V]", help="A variable for you in there.")
@click.option("--file", "-f", multiple=True, metavar="SRC[:DEST]",
              help="A file or directory to put in.")  # fmt: skip
@click.option("--deadline", multiple=True, metavar="PHASE=TIME", help="As for evalbox run.")
@click.option("--engine", help="gvisor (default), runc or fake.")
@click.option("--image", help="What the family's image is built upon.")
@click.option("--name", help="What to call it.  [default: FAMILY/TASK]")
@with_session
async def task_start(session: Session, *, path: str, **given: Any) -> int | None:
    """Open a task's environment, and say how to work in it; prints its id.

    Where no service runs, this command keeps it open until the work is submitted.
    """
    from evalbox.cli.run import defaults

    request = Request(path=path, agent="human", **given)
    prepared = request.prepare(defaults(session.settings), now=time.time())
    async with session.box(work=True) as box:
        await box.require_engine(prepared.spec.engine)
        specs = await prepared.specs(box, session.console.build)
        human.alone(specs, path=path)
        (evaluation,) = await box.submit(specs)

        async def cancel() -> None:
            session.console.note("cancelling (again to leave at once)")
            await cancel_unfinished(box, [evaluation.id])

        async with on_interrupt(cancel):
            if await _opened(session, box, evaluation.id):
                if isinstance(box, LocalBox):
                    with suppress(TimeoutError):
                        await _reachable(session)
                session.console.data(evaluation.id)
                session.console.note(
                    _HOW.format(
                        name=inert_line(evaluation.spec.name),
                        home=human.HOME,
                        id=evaluation.short_id,
                    )
                )
                if not isinstance(box, LocalBox):
                    return None
            return await _concluded(session, box, evaluation.id)


async def _opened(session: Session, box: Box, evaluation_id: str) -> bool:
    """Tells what is printed until it can be worked on; False where it ends before.

    Standard output is for the id alone.
    """
    attempt, seen, told = 1, 0, b""
    while _OPEN not in told:
        now = await box.get(evaluation_id)
        if now.attempts > attempt:
            attempt, seen, told = now.attempts, 0, b""
        # Not followed: it goes on when this is over.
        async for piece in box.output(evaluation_id, attempt=attempt, offset=seen):
            await asyncio.to_thread(session.console.job, STDERR, piece.data)
            seen = piece.offset + len(piece.data)
            if piece.stream == STDERR:
                told += piece.data
        if now.state in FINAL:
            break
        await asyncio.sleep(_LOOK)
    session.console.end_of_job()
    return _OPEN in told


async def _reachable(session: Session) -> None:
    """Waits a while for other commands to get to the box that is open here."""
    async with AsyncExitStack() as stack, asyncio.timeout(_PATIENCE):
        while await attach(session.settings.data_dir, stack) is None:  # noqa: ASYNC110 - a socket
            await asyncio.sleep(_LOOK)


async def _concluded(session: Session, box: Box, evaluation_id: str) -> int:
    ended = await box.wait(evaluation_id)
    conclude(session.console, ended, list(await box.attempts(evaluation_id)))
    return status.of_evaluation(ended)


@task_command.command("shell", epilog=status.HELP)
@id_argument()
@click.argument("command", metavar="[-- COMMAND...]", nargs=-1, type=click.UNPROCESSED)
@with_session
async def task_shell(session: Session, *, reference: str, command: Sequence[str]) -> int:
    """Open a shell in a task's environment, as the agent; or run a command there."""
    terminal = Terminal.of_this_process()
    spec = human.agent_shell(terminal, command)
    async with session.box() as box:
        running = await box.shell(await box.resolve(reference), spec)
        return await attend(session, running, terminal, stdin=True)


@task_command.command("score")
@id_argument()
@json_option
@with_session
async def task_score(session: Session, *, reference: str, as_json: bool) -> None:
    """See what the work is worth so far; it is kept, as any intermediate score is."""
    async with session.box() as box:
        answer = await human.score(box, await box.resolve(reference))
    if as_json:
        session.console.json(answer)
        return
    if "score" in answer:
        session.console.data(f"score {inert_line(str(answer['score']))}")
    message = answer.get("message")
    for key, value in message.items() if isinstance(message, dict) else ():
        session.console.data(f"{inert_line(str(key))}: {inert(str(value))}")


@task_command.command("submit", cls=Command, epilog=status.HELP)
@id_argument()
@click.option("--submission", metavar="TEXT|@FILE|-",
              help="In place of what is in submission.txt.")  # fmt: skip
@json_option
@with_session
async def task_submit(
    session: Session, *, reference: str, submission: str | None, as_json: bool
) -> int:
    """Be done: the task is scored and ends."""
    content = sys.stdin.buffer.read() if submission == "-" else None
    if submission is not None and content is None:
        content = read_submission(submission)
    async with session.box() as box:
        evaluation_id = await box.resolve(reference)
        await human.submit(box, evaluation_id, content)
        ended = await box.wait(evaluation_id)
        attempts = list(await box.attempts(evaluation_id))
    if as_json:
        from evalbox.wire import document

        session.console.json(document.full(ended, attempts))
    elif ended.score is not None:
        session.console.data(f"score {render.scored(session.console, ended.score)}")
    conclude(session.console, ended, attempts)
    return status.of_evaluation(ended)
