"""``evalbox backup`` and ``restore``."""

from __future__ import annotations

from pathlib import Path

import click

from evalbox.cli.command import Command, with_session
from evalbox.cli.control import ask
from evalbox.cli.options import json_option, yes_option
from evalbox.cli.session import Session
from evalbox.domain.quantity import format_size
from evalbox.errors import Conflict, FileMissing


@click.command("backup", cls=Command)
@click.argument("target", metavar="FILE", type=click.Path())
@json_option
@with_session
async def backup_command(session: Session, target: str, as_json: bool) -> None:
    """Write the database into one file, while it is in use."""
    path = _new(target)
    async with session.box() as box:
        await box.backup(path)
    size = _size(path)
    if as_json:
        session.console.json({"file": str(path), "size": size})
    else:
        session.console.note(f"{format_size(size)} in {path}")


@click.command("restore", cls=Command)
@click.argument("source", metavar="FILE", type=click.Path())
@yes_option
@json_option
@with_session
async def restore_command(session: Session, source: str, yes: bool, as_json: bool) -> None:
    """Put a backup in place of the database; no other evalbox may be running on it."""
    from evalbox.service.restore import restore

    path = _present(source)
    directory = session.settings.data_dir
    ask(session, f"Replace the database in {directory} by {path}?", yes=yes)
    await restore(path, directory)
    if as_json:
        session.console.json({"file": str(path), "data_dir": str(directory)})
    else:
        session.console.note(f"restored {directory} from {path}")


def _new(target: str) -> Path:
    path = Path(target)
    if path.exists():
        raise Conflict(f"{path}: is there already", hint="choose another name, or remove it")
    return path


def _present(source: str) -> Path:
    path = Path(source)
    if not path.is_file():
        raise FileMissing(f"{path}: no such file", hint="name a file that evalbox backup wrote")
    return path


def _size(path: Path) -> int:
    return path.stat().st_size
