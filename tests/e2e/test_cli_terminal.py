"""Terminals, signals and pipes. On the fake engine, but where said."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path

import pytest
from cli_harness import PROGRAM, Cli, finish


@pytest.fixture
def cli(tmp_path: Path) -> Cli:
    return Cli(tmp_path, engine="fake")


def test_ctrl_c_cancels_and_waits(cli: Cli) -> None:
    running = cli.start("run", "--", "echo", "up", ";", "sleep", "inf")
    assert running.stdout is not None
    assert running.stdout.readline() == b"up\n"
    ended = finish(running, signal.SIGINT)
    assert ended.code == 130
    assert "cancelled" in ended.said.splitlines()[-1]
    assert cli.evaluations()[0]["state"] == "cancelled"


def test_sigterm_does_the_same(cli: Cli) -> None:
    running = cli.start("run", "--", "echo", "up", ";", "sleep", "inf")
    assert running.stdout is not None
    running.stdout.readline()
    assert finish(running, signal.SIGTERM).code == 130
    assert cli.evaluations()[0]["outcome"] == "cancelled"


def test_ctrl_c_cancels_all_that_repeat_made(cli: Cli) -> None:
    running = cli.start("run", "--repeat", "5", "--", "sleep", "inf")
    assert running.stderr is not None
    running.stderr.readline()
    cli.until(lambda found: any(item["state"] == "running" for item in found))
    assert finish(running, signal.SIGINT).code == 130
    assert {item["state"] for item in cli.evaluations()} == {"cancelled"}


def test_a_reader_that_goes_away_ends_the_run(cli: Cli) -> None:
    run = f"{' '.join(PROGRAM)} run -- print 10000000 ';' sleep inf"
    line = f"{run} | head -c 5; echo ${{PIPESTATUS[0]}}"
    done = subprocess.run(
        ["bash", "-c", line], env=cli.env, capture_output=True, timeout=60, check=False
    )
    assert done.stdout == b"xxxxx141\n"
    assert b"Traceback" not in done.stderr
    assert b"Exception" not in done.stderr
    cli.until(lambda found: found[0]["state"] == "cancelled")


def test_a_reader_that_goes_away_from_a_listing(cli: Cli) -> None:
    line = f"{' '.join(PROGRAM)} --help | true; echo ${{PIPESTATUS[0]}}"
    done = subprocess.run(
        ["bash", "-c", line], env=cli.env, capture_output=True, timeout=60, check=False
    )
    assert done.stdout.strip() in (b"0", b"141")
    assert done.stderr == b""


def test_ctrl_c_twice_leaves_at_once(cli: Cli) -> None:
    cli("submit", "--", "sleep", "inf")
    waiting = cli.start("run", "--priority", "low", "--", "sleep", "inf")
    assert waiting.stderr is not None
    waiting.stderr.readline()
    cli.until(lambda found: found[0]["state"] == "running")
    waiting.send_signal(signal.SIGINT)
    cli.until(lambda found: found[0]["state"] == "cancelled")
    began = time.monotonic()
    ended = finish(waiting, signal.SIGINT)
    assert ended.code in (130, -2)
    assert time.monotonic() - began < 5


def test_output_on_a_terminal_is_inert(cli: Cli) -> None:
    hostile = "\x1b]0;owned\x07\x1b[2J\x9b31mred[bold]"
    code, seen = cli.on_terminal("run", "--", "echo", hostile)
    assert code == 0
    assert b"^[]0;owned^G^[[2J<U+009B>31mred[bold]\r\n" in seen
    code, seen = cli.on_terminal("run", "--raw", "--", "echo", hostile)
    assert hostile.encode() in seen
    identifier = cli.evaluations()[0]["id"]
    code, seen = cli.on_terminal("logs", identifier)
    assert b"\x07" not in seen


def test_colours_only_on_a_terminal_that_wants_them(cli: Cli) -> None:
    _, seen = cli.on_terminal("run", "--", "true")
    assert b"\x1b[32mok\x1b[0m" in seen
    _, seen = cli.on_terminal("--no-color", "run", "--", "true")
    assert b"\x1b[" not in seen
    cli.env["NO_COLOR"] = "1"
    _, seen = cli.on_terminal("run", "--", "true")
    assert b"\x1b[" not in seen


def test_the_verdict_stands_on_a_line_of_its_own_on_a_terminal(cli: Cli) -> None:
    _, seen = cli.on_terminal("--no-color", "run", "--", "print", "5")
    assert b"xxxxx\r\nok in " in seen


def test_ctrl_c_ends_processes_too(cli: Cli) -> None:
    running = cli.start(
        "run", "--engine", "process", "--", "sh", "-c", "trap '' INT TERM; echo $$; sleep 600"
    )
    assert running.stdout is not None
    process = int(running.stdout.readline())
    assert finish(running, signal.SIGINT).code == 130
    with pytest.raises(ProcessLookupError):
        os.kill(process, 0)


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_streams_that_are_closed(cli: Cli, closed: str) -> None:
    line = f"{' '.join(PROGRAM)} run -- echo hi {closed}"
    done = subprocess.run(
        ["bash", "-c", line], env=cli.env, capture_output=True, timeout=60, check=False
    )
    assert done.returncode == 0, done
    assert done.stdout in (b"", b"hi\n")
    assert b"rror" not in done.stderr
