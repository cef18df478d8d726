"""``evalbox wait``."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import click

from evalbox.cli import render, status
from evalbox.cli.command import Command, with_session
from evalbox.cli.console import Console
from evalbox.cli.options import ids_argument, json_option
from evalbox.cli.session import Session
from evalbox.domain.evaluation import Evaluation
from evalbox.domain.quantity import parse_duration
from evalbox.service.box import Box
from evalbox.wire import document


@click.command("wait", cls=Command, epilog=status.HELP)
@ids_argument(required=True)
@click.option("--timeout", metavar="TIME", help="Wait no longer (exit status 75).")
@json_option
@with_session
async def wait_command(
    session: Session, references: tuple[str, ...], timeout: str | None, as_json: bool
) -> int:
    """Wait until evaluations have ended.

    Exits with the status of the one that ended worst. The queue is run here if nobody else does.
    """
    limit = None if timeout is None else parse_duration(timeout, field="--timeout")
    async with session.box(work=True) as box:
        ids = [await box.resolve(reference) for reference in references]
        return await wait_for(session, box, ids, limit=limit, as_json=as_json)


async def wait_for(
    session: Session, box: Box, ids: Sequence[str], *, limit: float | None, as_json: bool
) -> int:
    """Waits for all, prints how each ended; returns the exit status."""
    console = session.console
    ended: list[Evaluation] = []
    try:
        async with asyncio.timeout(limit):
            for evaluation_id in dict.fromkeys(ids):
                console.status(f"{len(ended)} of {len(ids)} have ended")
                item = await box.wait(evaluation_id)
                ended.append(item)
                if not as_json:
                    console.data(_line(console, item))
    except TimeoutError:
        console.note(f"{len(ended)} of {len(ids)} have ended; the others go on")
        return status.NOT_YET
    finally:
        if as_json:
            console.json([document.evaluation(item) for item in ended])
    return status.worst(ended) if ended else status.OK


def _line(console: Console, item: Evaluation) -> str:
    shown = f"{item.short_id}  {render.outcome(console, item.outcome)}"
    return shown if item.score is None else f"{shown}  score {render.score(console, item.score)}"
