"""``evalbox ls``."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from typing import Any

import click

from evalbox.cli import render
from evalbox.cli.command import Command, with_session
from evalbox.cli.console import Console
from evalbox.cli.filters import everything, filter_options, make_filter
from evalbox.cli.options import json_option
from evalbox.cli.session import Session
from evalbox.domain.evaluation import Evaluation
from evalbox.domain.records import EvaluationFilter
from evalbox.requests.values import whole
from evalbox.service.box import Box
from evalbox.wire import document

_DEFAULT = 30
_REFRESH = 1.0
#: Behind how it ended.
_SCORE_AT = 4


@click.command("ls", cls=Command)
@filter_options
@click.option("--all", "-a", "whole_list", is_flag=True, help="All, not just the newest.")
@click.option("--limit", "-n", metavar="N", help=f"So many.  [default: {_DEFAULT}]")
@click.option("--watch", "-w", is_flag=True, help="Show it again whenever it changes.")
@json_option
@with_session
async def ls_command(
    session: Session,
    whole_list: bool,
    limit: str | None,
    watch: bool,
    as_json: bool,
    **given: Any,
) -> None:
    """List evaluations, the newest first."""
    query = make_filter(**given, now=time.time())
    wanted = whole(limit or str(_DEFAULT), field="limit", low=1, high=10_000_000)
    most = None if whole_list and limit is None else wanted
    async with session.box() as box:
        if watch:
            await _watch(session, box, query, most, as_json=as_json)
            return
        found, more = await _page(box, query, most)
    if as_json:
        session.console.json([document.evaluation(item) for item in found])
        return
    if not found:
        session.console.note("no evaluations match")
        return
    session.console.data(listing(session.console, found, time.time()))
    if more:
        session.console.note(f"the newest {most} are shown; --all shows all")


async def _page(
    box: Box, query: EvaluationFilter, most: int | None
) -> tuple[list[Evaluation], bool]:
    if most is None:
        return await everything(box, query), False
    found = await everything(box, query, limit=most + 1)
    return found[:most], len(found) > most


async def _watch(
    session: Session, box: Box, query: EvaluationFilter, most: int | None, *, as_json: bool
) -> None:
    console = session.console
    last: Sequence[Evaluation] | None = None
    while True:
        found, _ = await _page(box, query, most)
        if as_json and found != last:
            console.json([document.evaluation(item) for item in found], compact=True)
        elif not as_json and (console.out_is_terminal or found != last):
            top = "\x1b[H\x1b[2J" if console.out_is_terminal else ""
            console.data(top + listing(console, found, time.time()))
        last = found
        await asyncio.sleep(_REFRESH)


def listing(console: Console, found: Sequence[Evaluation], now: float) -> str:
    """The table; columns that would say nothing are left out."""
    several = any(item.attempts > 1 for item in found)
    batches = any(item.spec.batch for item in found)
    header = ["ID", "STATE", "OUTCOME", "EXIT", "NAME", "AGE", "ELAPSED"]
    if batches:
        header.insert(5, "BATCH")
    if several:
        header.append("ATTEMPTS")
    scores = any(item.score for item in found)
    if scores:
        header.insert(_SCORE_AT, "SCORE")
    rows = []
    for item in found:
        row = [
            item.short_id,
            render.state(console, item),
            render.outcome(console, item.outcome),
            "-" if item.exit_code is None else str(item.exit_code),
            render.cell(item.spec.name),
            render.age(item.created_at, now),
            render.elapsed(item, now),
        ]
        if batches:
            row.insert(5, render.cell(item.spec.batch or "-"))
        if several:
            row.append(str(item.attempts))
        if scores:
            row.insert(_SCORE_AT, render.score(console, item.score))
        rows.append(row)
    return render.table(console, header, rows)
