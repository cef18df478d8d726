"""``evalbox tasks new``."""

from __future__ import annotations

from pathlib import Path

import click

from evalbox.cli.command import Command, pass_session
from evalbox.cli.session import Session
from evalbox.errors import InvalidInput


@click.command("new", cls=Command)
@click.argument("name", metavar="[DIR/]NAME", type=click.Path(path_type=Path))
@pass_session
def tasks_new(session: Session, name: Path) -> None:
    """Write a family of tasks to begin with into the directory NAME.

    It runs as it is, and has a manifest, a solution and tests.
    """
    from evalbox.tasks.standard.template import write_template

    try:
        written = write_template(name)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise InvalidInput(f"{name}: cannot be written: {reason}") from error
    for path in written:
        session.console.data(str(path))
    session.console.note(f"try it: evalbox tasks check {name} --agent {name}/solve.yaml")
