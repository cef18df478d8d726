"""A shell beside a job, on the terminal of the screen."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import control, in_state, shows, spec, submit, until
from pseudo import PATIENCE, Terminal
from test_terminal import evalbox, states, until_state

from evalbox.domain.state import State
from evalbox.service.local import LocalBox
from evalbox.tui.screens.listing import Listing


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Terminal]:
    one = Terminal(tmp_path / "box")
    yield one
    one.finish()


def begin(data: Path, name: str) -> None:
    done = evalbox(data, "submit", "--engine", "process", "--name", name, "--", "sleep", "600")
    assert done.returncode == 0, done.stderr
    until_state(data, name, "running")


def test_a_shell_has_the_terminal_and_gives_it_back(terminal: Terminal, tmp_path: Path) -> None:
    terminal.until("Nothing has been submitted yet")
    begin(tmp_path / "box", "patient")
    terminal.until("● running")
    terminal.type("e")
    terminal.until("A shell beside patient")
    terminal.forget()
    terminal.type("stty size\r")
    terminal.until("36 120")
    terminal.resize(100, 30)
    # The shell learns of it by a signal, and keys may be there before.
    end = time.monotonic() + PATIENCE
    while "30 100" not in terminal.text:
        assert time.monotonic() < end, terminal.display
        terminal.type("stty size\r")
        time.sleep(0.5)
    # The screen draws nothing meanwhile.
    assert b"ACTIVITY" not in terminal.raw
    terminal.forget()
    terminal.type("exit 3\r")
    terminal.until("exit 3")
    terminal.until("ACTIVITY")
    # Keys are the screen's again, the first of them included.
    terminal.forget()
    terminal.type("?")
    terminal.until("Queue again, dead ones too")
    terminal.type("\x1b")
    assert states(tmp_path / "box") == {"patient": "running"}


def test_sigterm_ends_all_of_it(terminal: Terminal, tmp_path: Path) -> None:
    terminal.until("Nothing has been submitted yet")
    begin(tmp_path / "box", "patient")
    terminal.until("● running")
    terminal.type("e")
    terminal.until("A shell beside patient")
    terminal.kill(signal.SIGTERM)
    terminal.kill(signal.SIGTERM)
    assert terminal.ended() == 0


async def test_without_a_terminal_it_is_told(box: LocalBox) -> None:
    (one,) = await submit(box, spec("patient", "sleep", "600"))
    async with control(box) as (app, pilot):
        await in_state(box, one, State.RUNNING)
        await until(lambda: isinstance(app.screen, Listing) and app.context.book.active == 1)
        await pilot.press("e")
        await shows(app, "a shell needs a terminal")
        await box.cancel([one])
        await until(lambda: app.context.book.active == 0)
        await pilot.press("e")
        await shows(app, "a shell needs one that runs")
