"""``evalbox backup`` and ``restore``."""

from __future__ import annotations

from pathlib import Path

import click

from evalbox.cli.command import Command, with_session
from evalbox.cli.options import json_option
from evalbox.cli.session import Session
from evalbox.domain.quantity import format_size


@click.command("backup", cls=Command)
@click.argument("target", metavar="FILE", type=click.Path())
@json_option
@with_session
async def backup_command(session: Session, target: str, as_json: bool) -> None:
    """Write everything into one file, while it is in use."""
    async with session.box() as box:
        await box.backup(Path(target))
    size = _size(target)
    if as_json:
        session.console.json({"file": target, "size": size})
    else:
        session.console.note(f"{format_size(size)} in {target}")


@click.command("restore", cls=Command)
@click.argument("source", metavar="FILE", type=click.Path())
@click.option("--force", is_flag=True, help="Keep aside what is there, in place of refusing.")
@json_option
@with_session
async def restore_command(session: Session, source: str, force: bool, as_json: bool) -> None:
    """Bring a backup back into an empty data directory.

    No other evalbox may be working in it.
    """
    from evalbox.service.restore import restore

    session.keep_here("restore")
    directory = session.settings.data_dir
    aside = await restore(Path(source), directory, force=force)
    if as_json:
        kept = None if aside is None else str(aside)
        session.console.json({"file": source, "data_dir": str(directory), "kept_aside": kept})
        return
    session.console.note(f"restored {directory} from {source}")
    if aside is not None:
        session.console.note(f"what was there is in {aside}")


def _size(target: str) -> int:
    return Path(target).stat().st_size
