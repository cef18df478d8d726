"""``evalbox queue``."""

from __future__ import annotations

import click

from evalbox.cli.command import Group, with_session
from evalbox.cli.options import json_option
from evalbox.cli.session import Session
from evalbox.domain.records import QueueStatus
from evalbox.domain.state import ACTIVE, State
from evalbox.requests.values import whole
from evalbox.service.box import Box
from evalbox.wire import document

_MAX_SLOTS = 1024


@click.group("queue", cls=Group, default="show")
def queue_command() -> None:
    """See, pause, resume or resize the queue."""


@queue_command.command("show")
@json_option
@with_session
async def queue_show(session: Session, as_json: bool) -> None:
    """Show how the queue stands."""
    async with session.box() as box:
        await _tell(session, box, as_json=as_json)


@queue_command.command("pause")
@json_option
@with_session
async def queue_pause(session: Session, as_json: bool) -> None:
    """Start nothing more; what runs goes on."""
    async with session.box() as box:
        await box.pause()
        await _tell(session, box, as_json=as_json)


@queue_command.command("resume")
@json_option
@with_session
async def queue_resume(session: Session, as_json: bool) -> None:
    """Start evaluations again."""
    async with session.box() as box:
        await box.resume()
        await _tell(session, box, as_json=as_json)


@queue_command.command("limit")
@click.argument("slots", metavar="N")
@json_option
@with_session
async def queue_limit(session: Session, slots: str, as_json: bool) -> None:
    """Set how many evaluations run at once."""
    number = whole(slots, field="limit", low=1, high=_MAX_SLOTS)
    async with session.box() as box:
        await box.set_slots(number)
        await _tell(session, box, as_json=as_json)


async def _tell(session: Session, box: Box, *, as_json: bool) -> None:
    queue = await box.queue()
    console = session.console
    if as_json:
        console.json(document.queue(queue))
        return
    active = sum(queue.states.get(state, 0) for state in ACTIVE)
    console.data(f"queue     {_how(queue)}")
    console.data(f"running   {active} of {queue.slots} at once")
    console.data(f"queued    {queue.states.get(State.QUEUED, 0)}")
    console.data(f"dead      {queue.states.get(State.DEAD, 0)}")
    if queue.holding:
        console.data(f"holding   {queue.holding}")


def _how(queue: QueueStatus) -> str:
    if not queue.working:
        return "run by no process (start one with: evalbox --serve)"
    return "paused" if queue.paused else "running"
