"""``evalbox demo``: a box to look around in, with evaluations that are played."""

from __future__ import annotations

import tempfile
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from evalbox.cli.command import Command, pass_session, screen_flags
from evalbox.cli.session import Session
from evalbox.service.terminal import Terminal

if TYPE_CHECKING:
    from evalbox.service.box import Box
    from evalbox.tui.running import Note

_SEED = click.Option(
    ["--seed"], type=click.IntRange(0), default=1, show_default=True, metavar="N",
    help="Another number gives another play.",
)  # fmt: skip


@click.command("demo", cls=Command, params=[_SEED, *screen_flags()])
@pass_session
def demo_command(
    session: Session,
    *,
    seed: int,
    ascii: bool,  # noqa: A002 - as the flag
    no_mouse: bool,
    read_only: bool,
) -> int:
    """Show a box full of made-up evaluations that come and go.

    They are played by an engine that runs nothing: it needs neither Docker nor gVisor. Nothing is
    left behind.
    """
    if Terminal.of_this_process() is None:
        raise click.UsageError("The demo needs a terminal for its input and output.")
    if session.overrides.get("url"):
        raise click.UsageError("The demo has a box of its own: leave out --url.")
    from evalbox.cli.tui import show_screen
    from evalbox.tui.environment import Options

    def opening(note: Note) -> AbstractAsyncContextManager[Box]:
        from evalbox.demo.box import PAST, demo_box

        note(f"playing the last {PAST / 60:.0f} minutes")
        return demo_box(session.settings.data_dir, seed=seed)

    with tempfile.TemporaryDirectory(prefix="evalbox-demo-") as directory:
        session.overrides |= {"data_dir": str(Path(directory) / "box"), "url": ""}
        options = Options(ascii=ascii, mouse=not no_mouse, read_only=read_only, passing=True)
        return show_screen(session, options, opening)
