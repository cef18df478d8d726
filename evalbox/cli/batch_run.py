"""``evalbox batch run``."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import click

from evalbox.batches.file import BatchFile, read_batch
from evalbox.batches.plan import Unit, units
from evalbox.batches.reduce import check_reduce
from evalbox.batches.rehearsal import rehearse
from evalbox.cli import render, status
from evalbox.cli.batch_conduct import Conduct, Wishes
from evalbox.cli.command import Command, with_session
from evalbox.cli.options import json_option
from evalbox.cli.run import defaults
from evalbox.cli.session import Session
from evalbox.domain.text import plain_text
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
    given = defaults(session.settings)
    file = await asyncio.to_thread(read_batch, Path(path))
    if name is not None:
        file = replace(file, name=plain_text(name, field="name", flag=True))
    now = time.time()
    made = await asyncio.to_thread(units, file, given, now=now)
    if file.reduce is not None:
        await asyncio.to_thread(check_reduce, file, file.reduce, given, now=now)
    if dry_run:
        async with session.box() as box:
            return await _rehearse(session, box, file, made, wishes)
    async with session.box(work=not no_wait) as box:
        return await Conduct(session, box, file, made, wishes).to_the_end()


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


async def _rehearse(
    session: Session, box: Box, file: BatchFile, made: Sequence[Unit], wishes: Wishes
) -> int:
    console = session.console
    lines = await rehearse(box, file, made, failed_too=wishes.failed_too)
    if wishes.as_json:
        console.json({"batch": file.name, "units": [line.document() for line in lines]})
        return status.OK
    rows = [
        [render.cell(line.task), render.cell(line.agent or "-"), *line.counts()] for line in lines
    ]
    header = ["TASK", "AGENT", "EPOCHS", "TO RUN", "WAITING", "DONE"]
    console.data(render.table(console, header, rows))
    if any(not line.known for line in lines):
        console.note("? is known when the family's image has been built")
    return status.OK
