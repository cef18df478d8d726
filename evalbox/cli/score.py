"""``evalbox score``."""

from __future__ import annotations

import click

from evalbox.cli import render
from evalbox.cli.command import Command, with_session
from evalbox.cli.options import id_argument, json_option
from evalbox.cli.session import Session
from evalbox.errors import InvalidInput
from evalbox.wire import document


@click.command("score", cls=Command, context_settings={"ignore_unknown_options": True})
@id_argument()
@click.argument("value", metavar="VALUE")
@click.option("--by", metavar="NAME", required=True, help="Who says so.")
@click.option("--note", metavar="TEXT", default="", help="Why, to be kept with it.")
@json_option
@with_session
async def score_command(
    session: Session, reference: str, value: str, by: str, note: str, as_json: bool
) -> None:
    """Say what an evaluation is worth that is left to a person.

    VALUE is a number of any range. What had a score already gets this one instead; the events tell
    of the one before.
    """
    try:
        number = float(value)
    except ValueError:
        raise InvalidInput(
            f"{value!r} is no score", hint="give a number, as in 0.75", field="value"
        ) from None
    async with session.box() as box:
        scored = await box.set_score(await box.resolve(reference), number, by=by, note=note)
    if as_json:
        session.console.json(document.evaluation(scored))
    else:
        session.console.data(f"{scored.short_id}  {render.score(session.console, scored.score)}")
