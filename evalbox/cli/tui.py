"""``evalbox`` on a terminal: the screen."""

from __future__ import annotations

import asyncio
import gc
import os
import subprocess
import sys
import time
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from evalbox.cli.session import Session
from evalbox.config.settings import config_file, state_file
from evalbox.tui import keymap, memory
from evalbox.tui.ending import Ending
from evalbox.tui.environment import Options, hindrance, prepare
from evalbox.tui.running import Note, Open, Sitting

if TYPE_CHECKING:
    from evalbox.config.settings import Settings
    from evalbox.service.box import Box

#: Where a service that goes on without a terminal tells what it has to tell, and what is logged.
_FILE = "evalbox.log"
#: Seconds that it gets to begin.
_PATIENCE = 15.0
_LOOK = 0.05
#: Seconds that a thread which reckons may keep the queue and the keys waiting.
_TURN = 0.001


def show_screen(session: Session, wanted: Options, opening: Open | None = None) -> int:
    """Shows the box of the settings, or what ``opening`` gives, until the screen is left."""
    # The first screen is to be seen at once, and the history beneath it soon: whoever reads that
    # has garbage looked for from then on.
    gc.disable()
    sys.setswitchinterval(_TURN)
    if problem := hindrance(os.environ):
        raise click.UsageError(problem)
    _keep_log_off_screen(session)
    settings = session.settings
    wanted = replace(
        wanted,
        colour=session.colour is not False,
        task_dirs=settings.task_dirs,
        keymap=keymap.read(config_file().with_name(keymap.NAME)),
        theme=memory.theme(state_file()),
        memory=state_file(),
    )
    options = prepare(os.environ, wanted)

    def of_settings(note: Note) -> AbstractAsyncContextManager[Box]:
        # Who only looks runs nothing.
        return session.box(work=not options.read_only, warm=settings.warm, on_note=note)

    sitting = Sitting(
        opening or of_settings,
        options,
        where=settings.url or str(settings.data_dir),
        drain=settings.drain,
        on_note=session.console.note,
    )
    if asyncio.run(sitting.run()) is Ending.LEAVE:
        _leave(session, settings)
    return 0


def _keep_log_off_screen(session: Session) -> None:
    settings = session.settings
    asked = "log_level" in session.overrides or settings.log_level != "warning"
    if asked and not settings.log_file:
        settings.data_dir.mkdir(parents=True, exist_ok=True)
        session.settings = replace(settings, log_file=str(settings.data_dir / _FILE))


def _leave(session: Session, settings: Settings) -> None:
    """Has a process of its own adopt what runs, and run the queue from here on."""
    from evalbox.host.sockets import NAME

    file = settings.data_dir / _FILE
    with file.open("ab") as log:
        process = subprocess.Popen(
            # Others attach by the socket; a port that is taken must not keep it from beginning.
            [sys.executable, "-m", "evalbox", "--data-dir", str(settings.data_dir),
             "--serve", "--host", "127.0.0.1", "--port", "0"],
            stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd="/", start_new_session=True,
            env=os.environ | {"EVALBOX_URL": ""},
        )  # fmt: skip
    if _began(process, settings.data_dir / NAME):
        session.console.note(
            f"goes on as process {process.pid} (attach with: evalbox, stop with: "
            f"kill {process.pid})"
        )
    else:
        session.console.warn(f"the service did not begin: see {file}")


def _began(process: subprocess.Popen[bytes], socket: Path) -> bool:
    end = time.monotonic() + _PATIENCE
    while time.monotonic() < end and process.poll() is None:
        if socket.exists():
            return True
        time.sleep(_LOOK)
    return False
