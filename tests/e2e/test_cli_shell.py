"""``evalbox shell`` and ``evalbox prioritize``, as a user has them."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import signal
import struct
import subprocess
import termios
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cli_harness import PATIENCE, PROGRAM, Cli


class OnTerminal:
    """A command that runs on a terminal of its own."""

    def __init__(self, cli: Cli, *arguments: str, rows: int = 33, cols: int = 99) -> None:
        self._ours, self._theirs = pty.openpty()
        self.resize(rows, cols)
        self.before = self.modes()
        self.seen = b""
        self.process = subprocess.Popen(
            [*PROGRAM, *arguments],
            stdin=self._theirs,
            stdout=self._theirs,
            stderr=self._theirs,
            cwd=cli.work,
            env=cli.env | {"TERM": "xterm"},
            # The terminal becomes the session's, so that a change of its size is signalled.
            preexec_fn=_take_terminal,  # noqa: PLW1509
        )

    def modes(self) -> list[Any]:
        return termios.tcgetattr(self._theirs)

    def resize(self, rows: int, cols: int) -> None:
        fcntl.ioctl(self._ours, termios.TIOCSWINSZ, struct.pack("HHHH", rows, cols, 0, 0))

    def type(self, data: bytes) -> None:
        os.write(self._ours, data)

    def until(self, text: bytes) -> bytes:
        """What comes before it."""
        end = time.monotonic() + PATIENCE
        while text not in self.seen:
            assert time.monotonic() < end, self.seen
            self._read(1.0)
        before, _, self.seen = self.seen.partition(text)
        return before

    def ended(self) -> int:
        """The exit status; the terminal is as it was."""
        end = time.monotonic() + PATIENCE
        while self.process.poll() is None:
            assert time.monotonic() < end, self.seen
            self._read(0.1)
        self._read(0.0)
        assert self.modes() == self.before
        return self.process.returncode

    def _read(self, patience: float) -> None:
        if select.select([self._ours], [], [], patience)[0]:
            self.seen += os.read(self._ours, 65536)

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        os.close(self._ours)
        os.close(self._theirs)


def _take_terminal() -> None:
    os.setsid()
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


@pytest.fixture
def cli(tmp_path: Path) -> Cli:
    return Cli(tmp_path, engine="fake")


@pytest.fixture
def service(cli: Cli) -> Iterator[Cli]:
    yield from _serving(cli)


@pytest.fixture
def gvisor(tmp_path: Path) -> Iterator[Cli]:
    yield from _serving(Cli(tmp_path))


def _serving(cli: Cli) -> Iterator[Cli]:
    process = cli.start("--serve")
    end = time.monotonic() + PATIENCE
    while not (cli.data / "evalbox.sock").exists():
        assert time.monotonic() < end
        assert process.poll() is None
        time.sleep(0.05)
    yield cli
    cli("cancel", "--all", "--yes")
    cli.until(lambda found: all(one["finished_at"] for one in found))
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=PATIENCE)


def running(cli: Cli, *command: str) -> str:
    """The id of a job that runs."""
    made = cli("submit", "--", *(command or ("sleep", "inf"))).text.strip()
    cli.until(lambda found: found[0]["state"] == "running")
    return made


def test_on_a_terminal(service: Cli) -> None:
    shell = OnTerminal(service, "shell", running(service))
    try:
        shell.until(b"$ ")
        assert shell.modes() != shell.before
        shell.type(b"stty size\r")
        shell.until(b"33 99\r\n")
        shell.until(b"$ ")
        shell.resize(40, 120)
        end = time.monotonic() + PATIENCE
        size = b""
        while b"40 120" not in size:
            assert time.monotonic() < end
            shell.type(b"stty size\r")
            size = shell.until(b"$ ")
        # Keys that a terminal would have acted on reach the program.
        shell.type(b"half a line\x03exit 9\r")
        assert shell.ended() == 9
    finally:
        shell.close()


def test_a_command_on_a_terminal(service: Cli) -> None:
    one = running(service)
    command = OnTerminal(service, "shell", one, "--", "tty", ";", "stty", "size", ";", "exit", "3")
    try:
        command.until(b"/dev/pts/0\r\n33 99\r\n")
        assert command.ended() == 3
    finally:
        command.close()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_shell_and_not_the_job(service: Cli, number: signal.Signals) -> None:
    one = running(service)
    shell = OnTerminal(service, "shell", one)
    try:
        shell.until(b"$ ")
        shell.process.send_signal(number)
        assert shell.ended() == 137
    finally:
        shell.close()
    assert service("show", one, "--json").json["state"] == "running"


def test_the_job_ends_under_it(service: Cli) -> None:
    one = running(service)
    shell = OnTerminal(service, "shell", one)
    try:
        shell.until(b"$ ")
        service("cancel", one)
        assert shell.ended() == 69
        shell.until(b"the sandbox ended")
    finally:
        shell.close()


def test_between_pipes(service: Cli) -> None:
    one = running(service)
    done = service("shell", one, stdin=b"echo \x1b[31mout\nerror err\ntty\nexit 4\n")
    assert (done.out, done.err, done.code) == (b"\x1b[31mout\nnot a tty\n", b"err\n", 4)
    done = service("shell", one, "--", "cat", stdin=b"\xff" * 100_000)
    assert (done.out, done.code) == (b"\xff" * 100_000, 0)
    assert service("logs", one).out == b""
    acts = [entry["action"] for entry in service("audit", "--json").json]
    assert acts.count("evaluation.shell") == 2


def test_where_it_does_not_run(service: Cli) -> None:
    one = service("submit", "--", "true").text.strip()
    service("wait", one)
    ended = service("shell", one)
    assert (ended.code, ended.out) == (65, b"")
    assert "does not run: it is completed" in ended.said
    assert service("shell", "zzzz").code == 66
    assert service("shell", one, "--workdir", "relative").code == 65


def test_without_a_service(cli: Cli) -> None:
    one = cli("submit", "--", "sleep", "inf").text.strip()
    refused = cli("shell", one)
    assert refused.code == 75
    assert "the queue is not run here" in refused.said


def test_the_place_in_the_line(cli: Cli) -> None:
    ids = [
        cli("submit", "--batch", "b", "--", "echo", str(number)).text.strip() for number in range(3)
    ]
    moved = cli("prioritize", "high", ids[2])
    assert moved.text == f"{ids[2][-8:]}  high\n"
    lowered = cli("prioritize", "low", "--batch", "b", "--json").json
    assert {one["priority"] for one in lowered} == {"low"}
    assert len(lowered) == 3
    assert cli("prioritize", "urgent", ids[0]).code == 2
    assert cli("prioritize", "high").code == 2
    assert cli("prioritize", "high", "--batch", "none").code == 66
    cli("cancel", ids[0])
    refused = cli("prioritize", "high", *ids)
    assert refused.code == 65
    assert "nothing was changed" in refused.said
    cli("cancel", "--batch", "b")
    assert "nothing of it is queued" in cli("prioritize", "high", "--batch", "b").said


@pytest.mark.gvisor
def test_in_gvisor(gvisor: Cli) -> None:
    one = running(gvisor, "sh", "-c", "echo job >file; sleep 600")
    shell = OnTerminal(gvisor, "shell", one)
    try:
        shell.type(b"cat file; stty size; test -t 0 && echo on-$((40 + 2)); exit 9\r")
        shell.until(b"job\r\n33 99\r\non-42")
        assert shell.ended() == 9
    finally:
        shell.close()
    done = gvisor("shell", one, "--user", "0:0", "--", "id", "-u")
    assert (done.out, done.code) == (b"0\n", 0)
    assert gvisor("show", one, "--json").json["state"] == "running"
