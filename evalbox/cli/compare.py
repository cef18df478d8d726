"""``evalbox compare``."""

from __future__ import annotations

import click

from evalbox.cli import render
from evalbox.cli.command import Command, with_session
from evalbox.cli.console import Console
from evalbox.cli.filters import everything
from evalbox.cli.options import json_option
from evalbox.cli.session import Session
from evalbox.domain import comparing as words
from evalbox.domain.comparison import Change, Comparison, Pair, compare
from evalbox.domain.difference import Difference, asked, became
from evalbox.domain.evaluation import Evaluation
from evalbox.domain.records import EvaluationFilter
from evalbox.errors import BatchNotFound, InvalidInput
from evalbox.service.box import Box
from evalbox.wire import comparison as document

_STYLES = {Change.REGRESSION: "red", Change.FIX: "green", Change.SAME: "grey"}
_WORSE = 1


@click.command("compare", cls=Command)
@click.argument("before", metavar="A")
@click.argument("after", metavar="B")
@click.option("--all", "-a", "whole", is_flag=True, help="Also what is the same in both.")
@click.option("--check", is_flag=True, help="Exit with 1 where something regressed.")
@json_option
@with_session
async def compare_command(
    session: Session, *, before: str, after: str, whole: bool, check: bool, as_json: bool
) -> int:
    """Say what differs between two batches, by name, or two evaluations, by id."""
    console = session.console
    async with session.box() as box:
        kinds = {await _is_batch(box, one) for one in (before, after)}
        if kinds == {False}:
            await _two_evaluations(console, box, before, after, as_json=as_json, whole=whole)
            return 0
        if kinds == {True, False}:
            raise InvalidInput("one of them is a batch, the other an evaluation")
        items = [await everything(box, EvaluationFilter(batch=one)) for one in (before, after)]
    found = compare(*items)
    if as_json:
        console.json(document.batches((before, after), found))
    else:
        _print(console, (before, after), found, whole=whole)
    return _WORSE if check and found.counts[Change.REGRESSION] else 0


async def _is_batch(box: Box, name: str) -> bool:
    try:
        await box.batch(name)
    except BatchNotFound:
        return False
    return True


async def _two_evaluations(
    console: Console, box: Box, before: str, after: str, *, as_json: bool, whole: bool
) -> None:
    ids = (await box.resolve(before), await box.resolve(after))
    items = await box.get(ids[0]), await box.get(ids[1])
    newest = [found[-1] if (found := await box.attempts(one)) else None for one in ids]
    first, second = asked(*items), became(*items, newest[0], newest[1])
    if as_json:
        console.json(document.evaluations(ids, first, second))
        return
    shown = [one for one in [*first, *second] if whole or one.differs]
    header = ["", *(item.short_id for item in items)]
    if shown:
        console.data(render.table(console, header, [_difference(one) for one in shown]))
    else:
        console.note("they differ in nothing")


def _difference(one: Difference) -> list[str]:
    return [one.field, render.cell(one.before), render.cell(one.after)]


def _print(console: Console, names: tuple[str, str], found: Comparison, *, whole: bool) -> None:
    header = ["", *(render.cell(name) for name in names), "DIFFERENCE"]
    console.data(render.table(console, header, [list(row) for row in words.totals(found)]))
    console.data(f"\n{words.counts(found)}")
    pairs = [pair for pair in found.pairs if whole or pair.change is not Change.SAME]
    if pairs:
        header = ["CHANGE", "TASK", "AGENT", "SAMPLE", "BEFORE", "AFTER", "SCORE"]
        console.data("\n" + render.table(console, header, [_row(console, one) for one in pairs]))


def _row(console: Console, pair: Pair) -> list[str]:
    return [
        console.style(pair.change, _STYLES.get(pair.change, "yellow")),
        render.cell(pair.key.name),
        render.cell(pair.key.agent or "-"),
        render.cell(pair.key.sample or "-"),
        _side(pair.before),
        _side(pair.after),
        words.gain(pair),
    ]


def _side(item: Evaluation | None) -> str:
    if item is None:
        return "-"
    return f"{item.outcome or item.state} {item.short_id}"
