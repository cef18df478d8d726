"""Starting, resizing, losing the terminal, being told to end: on a real one."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from pseudo import PATIENCE, Terminal


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "box"


@pytest.fixture
def terminals() -> Iterator[list[Terminal]]:
    started: list[Terminal] = []
    yield started
    for one in started:
        one.finish()


def evalbox(data: Path, *arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
    env = {
        "PATH": os.environ["PATH"], "HOME": str(data.parent), "EVALBOX_DATA_DIR": str(data),
        "EVALBOX_ENGINE": "fake", "EVALBOX_PORT": "0", **environ,
    }  # fmt: skip
    return subprocess.run(
        [sys.executable, "-m", "evalbox", *arguments],
        env=env, capture_output=True, text=True, timeout=PATIENCE, check=False,
        stdin=subprocess.DEVNULL,
    )  # fmt: skip


def states(data: Path) -> dict[str, str]:
    import json

    found = json.loads(evalbox(data, "ls", "--all", "--json").stdout or "[]")
    return {item["name"]: item["state"] for item in found}


def submit(data: Path, *command: str) -> None:
    done = evalbox(data, "submit", "--name", command[0], "--", *command)
    assert done.returncode == 0, done.stderr


def until_state(data: Path, name: str, *wanted: str) -> None:
    end = time.monotonic() + PATIENCE
    while states(data).get(name) not in wanted:
        assert time.monotonic() < end, states(data)
        time.sleep(0.1)


def test_it_starts_resizes_and_quits(data: Path, terminals: list[Terminal]) -> None:
    terminal = Terminal(data)
    terminals.append(terminal)
    terminal.until("Nothing has been submitted yet")
    terminal.forget()
    terminal.resize(50, 12)
    terminal.until("too small")
    terminal.forget()
    terminal.resize(80, 24)
    terminal.until("Nothing has been submitted yet")
    terminal.forget()
    terminal.type("5")
    terminal.until("admission")
    terminal.type("q")
    assert terminal.ended() == 0
    # The screen of before is back, with its cursor, and keys are echoed again.
    assert b"\x1b[?1049l" in terminal.raw
    assert b"\x1b[?25h" in terminal.raw


def test_without_a_terminal_help_is_printed(data: Path) -> None:
    done = evalbox(data)
    assert done.returncode == 0
    assert "Usage: evalbox" in done.stdout


def test_asking_for_a_screen_without_a_terminal_is_refused(data: Path) -> None:
    done = evalbox(data, "--read-only")
    assert done.returncode == 2
    assert "needs a terminal" in done.stderr


def test_a_dumb_terminal_is_refused(data: Path, terminals: list[Terminal]) -> None:
    terminal = Terminal(data, TERM="dumb")
    terminals.append(terminal)
    assert terminal.ended() == 2
    assert "cannot draw a screen" in terminal.text
    assert b"\x1b[?1049h" not in terminal.raw


def test_sigterm_ends_cleanly(data: Path, terminals: list[Terminal]) -> None:
    terminal = Terminal(data)
    terminals.append(terminal)
    terminal.until("Nothing has been submitted yet")
    terminal.kill(signal.SIGTERM)
    assert terminal.ended() == 0
    assert b"\x1b[?1049l" in terminal.raw


def test_losing_the_terminal_leaves_the_work_running(data: Path, terminals: list[Terminal]) -> None:
    terminal = Terminal(data)
    terminals.append(terminal)
    terminal.until("Nothing has been submitted yet")
    submit(data, "sleep", "6", ";", "echo", "survived")
    until_state(data, "sleep", "running")
    terminal.close()
    before, began = terminal.cpu_seconds(), time.monotonic()
    second = Terminal(data)
    terminals.append(second)
    # It attaches to the one that has no terminal any more, and sees the same evaluation.
    second.until("running")
    until_state(data, "sleep", "completed")
    if terminal.alive:
        used = terminal.cpu_seconds() - before
        assert used < 0.9 * (time.monotonic() - began), "it spins"
    second.type("q")
    assert second.ended() == 0
    assert terminal.ended() == 0
    assert "attempts" in evalbox(data, "show", _id(data), "--json").stdout
    assert "survived" in evalbox(data, "logs", _id(data)).stdout


def _id(data: Path) -> str:
    import json

    found: str = json.loads(evalbox(data, "ls", "--all", "--json").stdout)[0]["id"]
    return found


def test_quitting_with_work_under_way_asks(data: Path, terminals: list[Terminal]) -> None:
    terminal = Terminal(data)
    terminals.append(terminal)
    terminal.until("Nothing has been submitted yet")
    submit(data, "sleep", "600")
    until_state(data, "sleep", "running")
    terminal.type("q")
    terminal.until("leave it running")
    terminal.forget()
    terminal.type("c")
    assert terminal.ended() == 0
    assert states(data) == {"sleep": "cancelled"}


def test_what_is_left_running_is_served_by_another_process(
    data: Path, terminals: list[Terminal]
) -> None:
    terminal = Terminal(data)
    terminals.append(terminal)
    terminal.until("Nothing has been submitted yet")
    submit(data, "sleep", "600")
    until_state(data, "sleep", "running")
    terminal.type("q")
    terminal.until("leave it running")
    terminal.type("l")
    terminal.until("goes on as process")
    pid = int(terminal.text.partition("goes on as process ")[2].split()[0])
    assert terminal.ended() == 0
    try:
        submit(data, "echo", "later")
        until_state(data, "echo", "completed")
    finally:
        os.kill(pid, signal.SIGTERM)
    end = time.monotonic() + PATIENCE
    while Path(f"/proc/{pid}").exists():
        assert time.monotonic() < end
        time.sleep(0.05)


def test_no_color_sends_no_colours(data: Path, terminals: list[Terminal]) -> None:
    import re

    terminal = Terminal(data, NO_COLOR="1")
    terminals.append(terminal)
    terminal.until("Nothing has been submitted yet")
    terminal.type("5")
    terminal.until("admission")
    terminal.type("q")
    assert terminal.ended() == 0
    for sequence in re.findall(rb"\x1b\[([0-9;]*)m", terminal.raw):
        numbers = [int(part or 0) for part in sequence.split(b";")]
        assert not [n for n in numbers if n in (38, 48) or 30 <= n <= 37 or 40 <= n <= 47], sequence


def test_ascii_sends_only_ascii(data: Path, terminals: list[Terminal]) -> None:
    terminal = Terminal(data, "--ascii")
    terminals.append(terminal)
    terminal.until("Nothing has been submitted yet")
    terminal.type("5")
    terminal.until("admission")
    terminal.type("q")
    assert terminal.ended() == 0
    assert terminal.text.isascii()


def test_the_demo_shows_a_box_of_its_own_and_leaves_nothing(
    data: Path, terminals: list[Terminal]
) -> None:
    terminal = Terminal(data, "demo", "--seed", "3")
    terminals.append(terminal)
    terminal.until("of 12 running")
    terminal.type("3")
    terminal.until("patchwork-01")
    # It has no work that anybody would miss, so that it does not ask.
    terminal.type("q")
    assert terminal.ended() == 0
    assert not data.exists()
    assert not list(data.parent.glob("evalbox-demo-*"))


def test_the_demo_ends_with_its_terminal(data: Path, terminals: list[Terminal]) -> None:
    terminal = Terminal(data, "demo")
    terminals.append(terminal)
    terminal.until("of 12 running")
    terminal.close()
    assert terminal.ended() == 0
    assert not list(data.parent.glob("evalbox-demo-*"))


def test_the_demo_needs_a_terminal(data: Path) -> None:
    done = evalbox(data, "demo")
    assert done.returncode == 2
    assert "needs a terminal" in done.stderr


@pytest.mark.parametrize(("arguments", "wanted"), [((), True), (("--no-mouse",), False)])
def test_the_mouse_is_the_terminals_where_that_is_asked_for(
    data: Path, terminals: list[Terminal], arguments: tuple[str, ...], wanted: bool
) -> None:
    terminal = Terminal(data, *arguments)
    terminals.append(terminal)
    terminal.until("Nothing has been submitted yet")
    for mode in (b"1000", b"1003", b"1006"):
        assert (b"\x1b[?%sh" % mode in terminal.raw) is wanted
    terminal.type("q")
    assert terminal.ended() == 0
