"""``evalbox config``."""

from __future__ import annotations

import os
import tomllib
from dataclasses import fields
from pathlib import Path

import click

from evalbox.cli import render
from evalbox.cli.command import Command, with_session
from evalbox.cli.options import json_option
from evalbox.cli.session import Session
from evalbox.config.settings import Settings, config_file
from evalbox.domain.inert import inert_line


@click.command("config", cls=Command)
@json_option
@with_session
async def config_command(session: Session, as_json: bool) -> None:
    """Print the settings in force and where each is from."""
    values = {item.name: getattr(session.settings, item.name) for item in fields(Settings)}
    values["key"] = "[hidden]" if session.settings.key else ""
    values["build_env"] = " ".join(f"{name}=[hidden]" for name in session.settings.build_env)
    values["task_dirs"] = os.pathsep.join(map(str, session.settings.task_dirs))
    origins = _origins(session)
    console = session.console
    if as_json:
        console.json(
            {
                name: {
                    "value": str(value) if isinstance(value, Path) else value,
                    "from": origins[name],
                }
                for name, value in values.items()
            }
        )
        return
    rows = [[name, inert_line(str(value)), origins[name]] for name, value in values.items()]
    console.data(render.table(console, ["SETTING", "VALUE", "FROM"], rows))


def _origins(session: Session) -> dict[str, str]:
    file = config_file()
    in_file: set[str] = set()
    if file.exists():
        with file.open("rb") as content:
            in_file = set(tomllib.load(content))
    origins = {}
    for item in fields(Settings):
        variable = f"EVALBOX_{item.name.upper()}"
        if item.name in session.overrides:
            origins[item.name] = f"--{item.name.replace('_', '-')}"
        elif variable in os.environ:
            origins[item.name] = variable
        elif item.name in in_file:
            origins[item.name] = str(file)
        else:
            origins[item.name] = "default"
    return origins
