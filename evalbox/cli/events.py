"""``evalbox events``."""

from __future__ import annotations

import json

import click

from evalbox.cli.command import Command, with_session
from evalbox.cli.options import id_argument, json_option
from evalbox.cli.session import Session
from evalbox.domain.event import Event
from evalbox.domain.ids import short as short_id
from evalbox.domain.inert import inert_line
from evalbox.domain.moments import local
from evalbox.requests.values import whole
from evalbox.wire import document


@click.command("events", cls=Command)
@id_argument(required=False)
@click.option("--follow", "-f", is_flag=True, help="Go on with what happens from now on.")
@click.option("--after", metavar="SEQ", help="Only what came after this number.  [default: 0]")
@json_option
@with_session
async def events_command(
    session: Session, *, reference: str | None, follow: bool, after: str | None, as_json: bool
) -> None:
    """Print what happened, in order.

    With --json one object a line.
    """
    seq = whole(after or "0", field="after", low=0, high=1 << 62)
    async with session.box() as box:
        chosen = None if reference is None else await box.resolve(reference)
        async for event in box.events(after=seq, follow=follow, evaluation_id=chosen):
            if as_json:
                session.console.json(document.event(event), compact=True)
            else:
                session.console.data(event_line(event))


def event_line(event: Event, *, short: bool = True) -> str:
    """One line of text; without ``short`` the id is left out."""
    parts = [f"{event.seq:>6}", local(event.at)]
    if short:
        parts.append(short_id(event.evaluation_id) if event.evaluation_id else " " * 8)
    parts.append(f"{event.kind:<22}")
    if event.attempt is not None:
        parts.append(f"attempt {event.attempt}")
    if event.data:
        pairs = (f"{key}={json.dumps(value)}" for key, value in event.data.items())
        parts.append(inert_line(" ".join(pairs)))
    return "  ".join(parts).rstrip()
