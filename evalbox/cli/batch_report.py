"""``evalbox batch report``."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from enum import StrEnum
from pathlib import Path

import click

from evalbox.cli import render
from evalbox.cli.command import Command, with_session
from evalbox.cli.console import Console
from evalbox.cli.filters import everything
from evalbox.cli.session import Session
from evalbox.domain.batch import Batch
from evalbox.domain.evaluation import Evaluation
from evalbox.domain.experiment import Cell, Experiment, Line, experiment
from evalbox.domain.quantity import format_duration, format_size
from evalbox.domain.records import EvaluationFilter
from evalbox.domain.reducers import Reducer
from evalbox.errors import InvalidInput
from evalbox.export import junit
from evalbox.export.experiment import page, spreadsheet
from evalbox.export.experiment.page import error, number, share
from evalbox.export.saving import save
from evalbox.requests import values
from evalbox.service.box import Box
from evalbox.wire import experiment as document

_STANDARD = "-"
#: Tasks in a table that a person reads.
_MOST_TASKS = 200


class Form(StrEnum):
    TABLE = "table"
    JSON = "json"
    CSV = "csv"
    JUNIT = "junit"
    HTML = "html"


_SUFFIXES = {".json": Form.JSON, ".csv": Form.CSV, ".xml": Form.JUNIT, ".html": Form.HTML}


@click.command("report", cls=Command)
@click.argument("name", metavar="NAME")
@click.option(
    "--format", "form", type=click.Choice([one.value for one in Form]),
    help="[default: as FILE ends, else table]",
)  # fmt: skip
@click.option(
    "--output", "-o", metavar="FILE|-", default=_STANDARD,
    help="Write here, whole or not at all.  [default: standard output]",
)  # fmt: skip
@click.option(
    "--reducer", type=click.Choice([one.value for one in Reducer]), default=Reducer.MEAN.value,
    show_default=True, help="How the scores of one task's epochs become one.",
)  # fmt: skip
@click.option("--k", "k", metavar="N", help="Of pass@k and pass^k.  [default: what every task has]")
@click.option(
    "--pass-score", metavar="SCORE",
    help="Those pass that are scored this or more.  [default: what the batch file said]",
)  # fmt: skip
@click.option("--no-tail", is_flag=True, help="JUnit without the end of what failures printed.")
@click.option("--json", "as_json", is_flag=True, help="The same as --format json.")
@with_session
async def report_command(
    session: Session,
    *,
    name: str,
    form: str | None,
    output: str,
    reducer: str,
    k: str | None,
    pass_score: str | None,
    no_tail: bool,
    as_json: bool,
) -> None:
    """Say what a batch found: by agent, and by task and agent."""
    most = None if k is None else values.whole(k, field="k", low=1, high=100_000)
    least = None if pass_score is None else values.number(pass_score, field="pass-score")
    wanted = Form.JSON if as_json else _form(form, output)
    async with session.box() as box:
        batch = await box.batch(name)
        items = await everything(box, EvaluationFilter(batch=name))
        if not items:
            raise InvalidInput(f"batch {name}: has no evaluations to report")
        found = experiment(name, items, k=most, reducer=Reducer(reducer), least=least)
        if wanted is Form.TABLE and output == _STANDARD:
            print_report(session.console, found, batch)
            return
        content = _content(box, found, batch, wanted, tail=not no_tail)
        if output == _STANDARD:
            async for data in content:
                await asyncio.to_thread(session.console.binary, data)
            return
        size = await save(content, Path(output))
    session.console.note(f"{len(found.items)} in {output} ({format_size(size)})")


def _form(form: str | None, output: str) -> Form:
    if form is not None:
        return Form(form)
    return _SUFFIXES.get(Path(output).suffix.lower(), Form.TABLE)


async def _content(
    box: Box, found: Experiment, batch: Batch, form: Form, *, tail: bool
) -> AsyncIterator[bytes]:
    match form:
        case Form.JSON:
            yield _json(found)
        case Form.CSV:
            yield spreadsheet.render(found)
        case Form.HTML:
            yield await asyncio.to_thread(page.render, found)
        case Form.JUNIT:
            async for data in junit.render(box, _each(found), output=tail):
                yield data
        case Form.TABLE:
            yield "\n".join(_lines(Console(colour=False), found, batch)).encode() + b"\n"


async def _each(found: Experiment) -> AsyncIterator[Evaluation]:
    for item in found.items:
        yield item


def _json(found: Experiment) -> bytes:
    told = document.experiment(found)
    return json.dumps(told, ensure_ascii=False, indent=2, allow_nan=False).encode() + b"\n"


def print_report(console: Console, found: Experiment, batch: Batch) -> None:
    for line in _lines(console, found, batch):
        console.data(line)


def _lines(console: Console, found: Experiment, batch: Batch) -> list[str]:
    return [*_agents(console, found), "", *_tasks(console, found), "", *_costs(found, batch)]


def _agents(console: Console, found: Experiment) -> list[str]:
    header = ["AGENT", "PASSED", "RATE", "95 %", "±TASK"]
    if found.all.scores:
        header += ["SCORE", "±TASK"]
    if found.k > 1:
        header += [f"PASS@{found.k}", f"PASS^{found.k}"]
    lines = [*found.lines, found.all] if len(found.lines) > 1 else found.lines
    rows = [_agent(found, line) for line in lines]
    return [render.table(console, [*header, "TIME", "RETRIES"], rows)]


def _agent(found: Experiment, line: Line) -> list[str]:
    name = "(all)" if line is found.all else line.agent or "-"
    row = [render.cell(name), f"{line.passed}/{line.judged}", share(line.pass_rate)]
    row += [_interval(line), error(line.rate_error, 100)]
    if found.all.scores:
        row += [number(line.score), error(line.error)]
    if found.k > 1:
        row += [share(line.any_of), share(line.all_of)]
    return [*row, format_duration(line.seconds), str(line.retries)]


def _interval(cell: Cell) -> str:
    if cell.interval is None:
        return "-"
    low, high = cell.interval
    return f"{100 * low:.0f}-{100 * high:.0f}"


def _tasks(console: Console, found: Experiment) -> list[str]:
    """A column for each agent: how many passed, and the score."""
    header = ["TASK", *(render.cell(agent or "RESULT") for agent in found.agents)]
    rows = [
        [render.cell(task), *(_cell(found, task, agent) for agent in found.agents)]
        for task in found.tasks[:_MOST_TASKS]
    ]
    more = len(found.tasks) - _MOST_TASKS
    table = render.table(console, header, rows)
    return [table, f"... and {more:,} more"] if more > 0 else [table]


def _cell(found: Experiment, task: str, agent: str) -> str:
    held = found.cells.get((task, agent))
    if held is None:
        return ""
    score = found.reducer.reduce(held.scores)
    return f"{held.passed}/{held.judged}" + ("" if score is None else f"  {score:.4g}")


def _costs(found: Experiment, batch: Batch) -> list[str]:
    whole = found.all
    outcomes = ", ".join(f"{count:,} {name}" for name, count in sorted(whole.outcomes.items()))
    told = [f"outcomes  {outcomes}"]
    if whole.unsettled:
        told.append(f"unscored  {whole.unsettled:,} with a score that is invalid or manual")
    if left := len(whole.items) - whole.ended:
        told.append(f"left      {left:,} have not ended")
    if found.older:
        told.append(f"older     {found.older:,} of the same task, agent and epoch left out")
    again = f", {format_duration(batch.respent)} of it tried again" if batch.respent else ""
    told.append(f"spent     {format_duration(batch.spent)} in {batch.attempts:,} attempts{again}")
    return told
