"""``evalbox bench``."""

from __future__ import annotations

import json

import click

from evalbox.cli.command import Command, with_session
from evalbox.cli.options import json_option
from evalbox.cli.session import Session

_PARTS = ("starts", "throughput", "queue", "batch", "idle", "api", "screen")


@click.command("bench", cls=Command)
@click.option("--quick", is_flag=True, help="Three minutes in place of fifteen; less exact.")
@click.option(
    "--only", "parts", multiple=True, type=click.Choice(_PARTS), help="Measure only this part."
)
@click.option(
    "--engine",
    "engines",
    multiple=True,
    type=click.Choice(["gvisor", "runc"]),
    help="Whose sandboxes are measured (default: gvisor).",
)
@json_option
@with_session
async def bench_command(
    session: Session, quick: bool, parts: tuple[str, ...], engines: tuple[str, ...], as_json: bool
) -> int:
    """Measure this machine, side by side with a bare Engine API loop.

    Ends with status 1 where a goal was missed.
    """
    from evalbox.bench.report import table
    from evalbox.bench.run import Plan, machine, run

    plan = Plan(parts or _PARTS, engines or ("gvisor",), quick)
    session.keep_here("bench")
    figures = await run(session.settings, plan, session.console.note)
    if as_json:
        found = {"machine": machine(), "figures": [figure.document() for figure in figures]}
        click.echo(json.dumps(found, indent=2))
    else:
        click.echo(table(figures))
    return int(any(figure.met is False for figure in figures))
