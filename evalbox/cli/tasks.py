"""``evalbox tasks``."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from evalbox.cli import render
from evalbox.cli.command import Group, with_session
from evalbox.cli.options import json_option
from evalbox.cli.session import Session
from evalbox.cli.tasks_check import tasks_check
from evalbox.cli.tasks_new import tasks_new
from evalbox.domain.inert import inert_line

if TYPE_CHECKING:
    from evalbox.tasks.catalogue import Listed


@click.group("tasks", cls=Group, default="ls")
def tasks_command() -> None:
    """List what can be run, check it, begin something new."""


tasks_command.add_command(tasks_check)
tasks_command.add_command(tasks_new)


@tasks_command.command("ls")
@click.argument("directories", metavar="[DIR]...", nargs=-1, type=click.Path())
@json_option
@with_session
async def tasks_ls(session: Session, *, directories: tuple[str, ...], as_json: bool) -> None:
    """List the tasks in DIR, or else all: in ./tasks, in the directories of the setting task_dirs,
    and the samples that come with evalbox.
    """
    from evalbox.tasks.catalogue import catalogue, places

    here = Path.cwd()
    roots = tuple(map(Path, directories)) or places(session.settings.task_dirs, here)
    found = await asyncio.to_thread(catalogue, roots)
    console = session.console
    for problem in found.problems:
        console.warn(inert_line(problem))
    if as_json:
        console.json([_document(task) for task in found.tasks])
        return
    if not found.tasks:
        console.note("there are no tasks; name a directory, or set EVALBOX_TASK_DIRS")
        return
    rows = [
        [
            render.cell(task.name),
            task.kind,
            task.language or "-",
            render.cell(task.summary) or "-",
            inert_line(_shown(task.path, here)),
        ]
        for task in found.tasks
    ]
    console.data(render.table(console, ["NAME", "KIND", "LANGUAGE", "WHAT IT DOES", "PATH"], rows))


def _document(task: Listed) -> dict[str, Any]:
    return {
        "name": task.name,
        "path": str(task.path),
        "root": str(task.root),
        "kind": task.kind,
        "language": task.language,
        "summary": task.summary,
        "size": task.size,
    }


def _shown(path: Path, here: Path) -> str:
    """As it is typed for ``evalbox run``."""
    return str(path.relative_to(here) if path.is_relative_to(here) else path)
