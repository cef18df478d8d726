"""``evalbox keymap``."""

from __future__ import annotations

import click

from evalbox.cli import render
from evalbox.cli.command import Command, pass_session
from evalbox.cli.options import json_option
from evalbox.cli.session import Session
from evalbox.config.settings import config_file
from evalbox.tui import keymap


@click.command("keymap", cls=Command)
@json_option
@pass_session
def keymap_command(session: Session, as_json: bool) -> None:
    """Print the keys of the screen, by the ids that keymap.toml knows them by."""
    file = config_file().with_name(keymap.NAME)
    mine = keymap.read(file)
    from evalbox.tui.bindings import known, problems

    console = session.console
    found = {one.id: (mine.get(one.id, one.keys), one.text) for one in known()}
    if as_json:
        console.json(
            {name: {"keys": keys, "text": text, "yours": name in mine}
             for name, (keys, text) in found.items()}
        )  # fmt: skip
    else:
        rows = [
            [name, keys, "yours" if name in mine else "", text]
            for name, (keys, text) in found.items()
        ]
        console.data(render.table(console, ["ID", "KEYS", "", "WHAT IT DOES"], rows))
    for problem in problems(mine):
        console.warn(f"{file}: {problem}")
