"""``evalbox cancel``, ``retry``, ``prioritize`` and ``rm``."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence

import click

from evalbox.cli.command import Command, with_session
from evalbox.cli.filters import everything
from evalbox.cli.options import ids_argument, json_option, yes_option
from evalbox.cli.session import Session
from evalbox.domain.evaluation import Evaluation, Priority
from evalbox.domain.quantity import parse_duration
from evalbox.domain.records import EvaluationFilter
from evalbox.domain.state import ACTIVE, FINAL, State
from evalbox.errors import InvalidInput, InvalidTransition
from evalbox.service.box import Box
from evalbox.service.cancelling import cancel_unfinished
from evalbox.wire import document

_UNFINISHED = frozenset(State) - FINAL
_QUEUED = frozenset({State.QUEUED})
_RETRIED = frozenset({State.FAILED, State.CANCELLED, State.DEAD})


@click.command("cancel", cls=Command)
@ids_argument(required=False)
@click.option("--all", "whole", is_flag=True, help="All that have not ended.")
@click.option("--batch", metavar="NAME", help="Those of this batch that have not ended.")
@yes_option
@json_option
@with_session
async def cancel_command(
    session: Session,
    *,
    references: tuple[str, ...],
    whole: bool,
    batch: str | None,
    yes: bool,
    as_json: bool,
) -> None:
    """Stop evaluations, or take them out of the queue."""
    _one_way(references, whole=whole, batch=batch)
    async with session.box() as box:
        if references:
            ids = [await box.resolve(reference) for reference in references]
            told(session, await box.cancel(list(dict.fromkeys(ids))), as_json=as_json)
            return
        ids = await _choose(box, references, batch, _UNFINISHED)
        if whole and ids:
            ask(session, f"Cancel {count(ids)}?", yes=yes)
        told(session, await cancel_unfinished(box, ids), as_json=as_json)


def told(session: Session, cancelled: Sequence[Evaluation], *, as_json: bool) -> None:
    """Prints what became of what was cancelled."""
    _report(session, cancelled, as_json=as_json, done="cancelled", doing="cancelling")


@click.command("retry", cls=Command)
@ids_argument(required=False)
@click.option("--batch", metavar="NAME", help="Those of this batch that did not end well.")
@click.option("--dead", is_flag=True, help="All that are dead.")
@json_option
@with_session
async def retry_command(
    session: Session, references: tuple[str, ...], batch: str | None, dead: bool, as_json: bool
) -> None:
    """Queue evaluations again that have ended.

    They get a fresh retry budget.
    """
    _one_way(references, whole=dead, batch=batch)
    async with session.box() as box:
        ids = await _choose(box, references, batch, frozenset({State.DEAD}) if dead else _RETRIED)
        await retry(session, box, ids, as_json=as_json)


async def retry(session: Session, box: Box, ids: Sequence[str], *, as_json: bool) -> None:
    """Queues again, and prints what became of each."""
    changed = await box.retry(ids) if ids else []
    _report(session, changed, as_json=as_json, done="queued", doing="queued")


@click.command("prioritize", cls=Command)
@click.argument("priority", type=click.Choice([one.name.lower() for one in Priority]))
@ids_argument(required=False)
@click.option("--batch", metavar="NAME", help="Those of this batch that are queued.")
@json_option
@with_session
async def prioritize_command(
    session: Session,
    *,
    priority: str,
    references: tuple[str, ...],
    batch: str | None,
    as_json: bool,
) -> None:
    """Put what is queued elsewhere in the line.

    What is of one priority goes by age.
    """
    _one_way(references, whole=False, batch=batch)
    wanted = Priority[priority.upper()]
    async with session.box() as box:
        if references:
            changed = await box.prioritize(await _choose(box, references, None, _QUEUED), wanted)
        else:
            changed = await _prioritize_batch(box, batch, wanted)
    if changed or as_json:
        _report(session, changed, as_json=as_json, done=priority, doing=priority)
    else:
        session.console.note("nothing of it is queued")


async def _prioritize_batch(
    box: Box, batch: str | None, priority: Priority
) -> Sequence[Evaluation]:
    """Those that are queued, and minds those that start meanwhile."""
    while ids := await _choose(box, (), batch, _QUEUED):
        try:
            return await box.prioritize(ids, priority)
        except InvalidTransition:
            continue
    return []


@click.command("rm", cls=Command)
@ids_argument(required=False)
@click.option("--older-than", metavar="TIME", help="All that ended so long ago, as in 30d.")
@click.option("--state", metavar="STATE", help="All in this state: completed, failed, ...")
@click.option("--batch", metavar="NAME", help="All of this batch that have ended.")
@yes_option
@json_option
@with_session
async def rm_command(
    session: Session,
    *,
    references: tuple[str, ...],
    older_than: str | None,
    state: str | None,
    batch: str | None,
    yes: bool,
    as_json: bool,
) -> None:
    """Remove evaluations that have ended, with their files."""
    chosen = older_than is not None or state is not None or batch is not None
    if bool(references) == chosen:
        raise click.UsageError("Name ids, or say which with --older-than, --state or --batch.")
    states = FINAL if state is None else frozenset({_final_state(state)})
    age = None if older_than is None else parse_duration(older_than, field="--older-than")
    async with session.box() as box:
        if references:
            ids = [await box.resolve(reference) for reference in references]
        else:
            found = await everything(box, EvaluationFilter(states=states, batch=batch))
            ids = [item.id for item in found if age is None or _ended_before(item, age)]
        ids = list(dict.fromkeys(ids))
        await remove(session, box, ids, yes=yes, as_json=as_json)


async def remove(
    session: Session, box: Box, ids: Sequence[str], *, yes: bool, as_json: bool
) -> None:
    """Removes, after asking where it is more than one, and prints the ids."""
    if len(ids) > 1:
        ask(session, f"Remove {count(ids)} with their output and artifacts?", yes=yes)
    if ids:
        await box.remove(ids)
    if as_json:
        session.console.json(list(ids))
    elif ids:
        session.console.note(f"removed {count(ids)}")
    else:
        session.console.note("nothing to remove")


def ask(session: Session, question: str, *, yes: bool) -> None:
    """Raises ``InvalidInput`` where nobody can answer, ``Abort`` where the answer is no."""
    if yes:
        return
    if not sys.stdin.isatty():
        raise InvalidInput(
            f"{question.rstrip('?')}: nobody is there to confirm", hint="add --yes to go on"
        )
    click.confirm(question, abort=True, err=True)


def count(ids: Sequence[str]) -> str:
    return f"{len(ids)} evaluation{'' if len(ids) == 1 else 's'}"


def _one_way(references: Sequence[str], *, whole: bool, batch: str | None) -> None:
    if sum((bool(references), whole, batch is not None)) != 1:
        raise click.UsageError("Name ids, or a batch, or all of them: one of these.")


async def _choose(
    box: Box, references: Sequence[str], batch: str | None, states: frozenset[State]
) -> list[str]:
    if references:
        return list(dict.fromkeys([await box.resolve(reference) for reference in references]))
    if batch is not None:
        await box.batch(batch)
    query = EvaluationFilter(states=states, batch=batch)
    return [item.id for item in await everything(box, query)]


def _final_state(text: str) -> State:
    if text not in FINAL:
        raise InvalidInput(
            f"--state: {text!r} is not a state in which evaluations end",
            hint=f"give one of {', '.join(sorted(FINAL))}",
            field="state",
        )
    return State(text)


def _ended_before(item: Evaluation, age: float) -> bool:
    return (item.finished_at or item.updated_at) < time.time() - age


def _report(
    session: Session, changed: Sequence[Evaluation], *, as_json: bool, done: str, doing: str
) -> None:
    if as_json:
        session.console.json([document.evaluation(item) for item in changed])
        return
    for item in changed:
        session.console.data(f"{item.short_id}  {doing if item.state in ACTIVE else done}")
    if not changed:
        session.console.note(f"nothing to be {done}")
