"""``evalbox batch``."""

from __future__ import annotations

import time
from collections.abc import Iterator

import click

from evalbox.cli import control, render, status
from evalbox.cli.batch_report import report_command
from evalbox.cli.batch_run import run_command
from evalbox.cli.command import Group, with_session
from evalbox.cli.compare import compare_command
from evalbox.cli.console import Console
from evalbox.cli.filters import everything
from evalbox.cli.listing import listing
from evalbox.cli.options import json_option, yes_option
from evalbox.cli.session import Session
from evalbox.cli.wait import wait_for
from evalbox.domain.batch import Batch
from evalbox.domain.moments import local
from evalbox.domain.quantity import format_duration, parse_duration
from evalbox.domain.records import EvaluationFilter
from evalbox.domain.reduction import Reduction
from evalbox.domain.state import FINAL, State
from evalbox.requests.values import whole
from evalbox.service.cancelling import cancel_unfinished
from evalbox.wire import document

_UNFINISHED = frozenset(State) - FINAL
_RETRIED = frozenset({State.FAILED, State.CANCELLED, State.DEAD})

_name = click.argument("name", metavar="NAME")


@click.group("batch", cls=Group, default="ls")
def batch_command() -> None:
    """Run, see and steer groups of evaluations."""


for _command in (run_command, report_command, compare_command):
    batch_command.add_command(_command)


@batch_command.command("ls")
@json_option
@with_session
async def batch_ls(session: Session, as_json: bool) -> None:
    """List batches."""
    async with session.box() as box:
        found = await box.batches()
    console = session.console
    if as_json:
        console.json([document.batch(item) for item in found])
    elif found:
        rows = [_row(item) for item in found]
        header = ["NAME", "TOTAL", "ENDED", "OK", "LIMIT", "CREATED"]
        console.data(render.table(console, header, rows))
    else:
        console.note("there are no batches")


@batch_command.command("show")
@_name
@json_option
@with_session
async def batch_show(session: Session, name: str, as_json: bool) -> None:
    """Show a batch and its evaluations."""
    async with session.box() as box:
        item = await box.batch(name)
        found = await everything(box, EvaluationFilter(batch=name))
    console = session.console
    if as_json:
        members = [document.evaluation(one) for one in found]
        console.json({**document.batch(item), "evaluations": members})
        return
    _print_batch(console, item)
    if found:
        console.data("\n" + listing(console, found, time.time()))


@batch_command.command("limit")
@_name
@click.argument("limit", metavar="N|none")
@json_option
@with_session
async def batch_limit(session: Session, name: str, limit: str, as_json: bool) -> None:
    """Set how many of a batch may run at once."""
    most = None if limit == "none" else whole(limit, field="limit", low=1, high=1024)
    async with session.box() as box:
        item = await box.set_batch_concurrency(name, most)
    if as_json:
        session.console.json(document.batch(item))
    else:
        session.console.note(f"batch {name}: {_limit(item)} at once")


@batch_command.command("wait")
@_name
@click.option("--timeout", metavar="TIME", help="Wait no longer (exit status 75).")
@json_option
@with_session
async def batch_wait(session: Session, name: str, timeout: str | None, as_json: bool) -> int:
    """Wait until all of a batch have ended; exits as the worst did."""
    limit = None if timeout is None else parse_duration(timeout, field="--timeout")
    async with session.box(work=True) as box:
        await box.batch(name)
        found = await everything(box, EvaluationFilter(batch=name))
        if not found:
            return status.OK
        ids = [item.id for item in reversed(found)]
        return await wait_for(session, box, ids, limit=limit, as_json=as_json)


@batch_command.command("cancel")
@_name
@yes_option
@json_option
@with_session
async def batch_cancel(session: Session, name: str, yes: bool, as_json: bool) -> None:
    """Cancel what has not ended of a batch."""
    async with session.box() as box:
        await box.batch(name)
        found = await everything(box, EvaluationFilter(batch=name, states=_UNFINISHED))
        ids = [item.id for item in found]
        if len(ids) > 1:
            control.ask(session, f"Cancel {control.count(ids)}?", yes=yes)
        control.told(session, await cancel_unfinished(box, ids), as_json=as_json)


@batch_command.command("retry")
@_name
@json_option
@with_session
async def batch_retry(session: Session, name: str, as_json: bool) -> None:
    """Queue again what did not end well of a batch."""
    async with session.box() as box:
        await box.batch(name)
        found = await everything(box, EvaluationFilter(batch=name, states=_RETRIED))
        await control.retry(session, box, [item.id for item in found], as_json=as_json)


@batch_command.command("rm")
@_name
@yes_option
@json_option
@with_session
async def batch_rm(session: Session, name: str, yes: bool, as_json: bool) -> None:
    """Remove what has ended of a batch."""
    async with session.box() as box:
        await box.batch(name)
        found = await everything(box, EvaluationFilter(batch=name, states=FINAL))
        ids = [item.id for item in found]
        await control.remove(session, box, ids, yes=yes, as_json=as_json)


def _row(item: Batch) -> list[str]:
    return [
        render.cell(item.name),
        str(item.total),
        str(sum(count for state, count in item.states.items() if state in FINAL)),
        str(item.states.get(State.COMPLETED, 0)),
        _limit(item),
        local(item.created_at),
    ]


def _limit(item: Batch) -> str:
    return "no limit" if item.concurrency is None else str(item.concurrency)


def _print_batch(console: Console, item: Batch) -> None:
    counts = [f"{count} {state}" for state, count in sorted(item.states.items())]
    outcomes = [f"{count} {outcome}" for outcome, count in sorted(item.outcomes.items())]
    console.data(f"batch     {render.cell(item.name)}")
    console.data(f"created   {local(item.created_at)}")
    console.data(f"at once   {_limit(item)}")
    if item.fail_fast:
        console.data("ends      with the first that fails")
    if item.reduction is not None:
        console.data(f"reduce    {_reduction(item.reduction)}")
    console.data(f"states    {', '.join(counts) or '-'}")
    console.data(f"outcomes  {', '.join(outcomes) or '-'}")
    for key, text in _figures(item, time.time()):
        console.data(f"{key:<8}  {text}")


def _reduction(item: Reduction) -> str:
    return render.cell(f"{item.state} {item.evaluation_id or item.reason}".strip())


def _figures(item: Batch, now: float) -> Iterator[tuple[str, str]]:
    """What can be told of how well it goes, how fast, and at what cost."""
    if item.pass_rate is not None and item.interval is not None:
        low, high = item.interval
        yield (
            "passed",
            f"{item.passed} of {item.judged}: {item.pass_rate:.0%} (95 %: {low:.0%} to {high:.0%})",
        )
    if item.unsettled:
        yield "unscored", f"{item.unsettled} ended ok with a score that is invalid or manual"
    if item.mean_score is not None:
        yield "score", f"{item.mean_score:g} on average, of {item.scored}"
    pace, left = item.throughput(now), item.eta(now)
    if pace is not None:
        ahead = f", {format_duration(left)} to go" if left else ""
        yield "pace", f"{pace:.{0 if pace >= 10 else 1}f} an hour{ahead}"
    if item.attempts:
        again = f", {format_duration(item.respent)} of it tried again" if item.respent else ""
        yield "spent", f"{format_duration(item.spent)} in {item.attempts} attempts{again}"
