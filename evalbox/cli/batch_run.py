"""``evalbox batch run``."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import click

from evalbox.batches.rehearsal import rehearse
from evalbox.batches.start import Ready, ready
from evalbox.cli import render, status
from evalbox.cli.batch_conduct import Conduct, Wishes
from evalbox.cli.command import Command, with_session
from evalbox.cli.options import json_option
from evalbox.cli.run import defaults
from evalbox.cli.session import Session
from evalbox.errors import InvalidInput
from evalbox.requests.values import number
from evalbox.service.box import Box


@click.command("run", cls=Command)
@click.argument("path", metavar="BATCH.yaml", type=click.Path())
@click.option("--name", metavar="NAME", help="Another name for the batch than the file's.")
@click.option("--dry-run", is_flag=True, help="Print what would be run, and run nothing.")
@click.option("--no-wait", is_flag=True, help="Queue it, and do not follow it to its end.")
@click.option("--retry-failed", is_flag=True, help="Try again what failed, too.")
@click.option("--min-pass-rate", metavar="RATE", help="Exit with 1 below this: 0.9, or 90%.")
@json_option
@with_session
async def run_command(
    session: Session,
    *,
    path: str,
    name: str | None,
    dry_run: bool,
    no_wait: bool,
    retry_failed: bool,
    min_pass_rate: str | None,
    as_json: bool,
) -> int:
    """Run tasks x agents x epochs as a file says, and report what they found.

    Run again, it goes on: what has a verdict is not run again. Ctrl-C leaves the rest queued.
    """
    least = None if min_pass_rate is None else _rate(min_pass_rate)
    wishes = Wishes(not no_wait, dry_run, retry_failed, least, as_json)
    batch = await asyncio.to_thread(
        ready, Path(path), defaults(session.settings), now=time.time(), name=name
    )
    if dry_run:
        async with session.box() as box:
            return await _rehearse(session, box, batch, wishes)
    async with session.box(work=not no_wait) as box:
        return await Conduct(session, box, batch, wishes).to_the_end()


def _rate(text: str) -> float:
    value = number(text.rstrip("%"), field="min-pass-rate")
    value = value / 100 if text.endswith("%") else value
    if not 0 <= value <= 1:
        raise InvalidInput(
            f"--min-pass-rate: {text} is out of range",
            hint="give between 0 and 1, or 0% and 100%",
            field="min-pass-rate",
        )
    return value


async def _rehearse(session: Session, box: Box, batch: Ready, wishes: Wishes) -> int:
    console = session.console
    lines = await rehearse(box, batch.file, batch.units, failed_too=wishes.failed_too)
    if wishes.as_json:
        console.json({"batch": batch.file.name, "units": [line.document() for line in lines]})
        return status.OK
    rows = [
        [render.cell(line.task), render.cell(line.agent or "-"), *line.counts()] for line in lines
    ]
    header = ["TASK", "AGENT", "EPOCHS", "TO RUN", "WAITING", "DONE"]
    console.data(render.table(console, header, rows))
    if any(not line.known for line in lines):
        console.note("? is known when the family's image has been built")
    return status.OK
