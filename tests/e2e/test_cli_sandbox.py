"""``evalbox sandbox``, as a user has it."""

from __future__ import annotations

import os
import pty
import select
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from cli_harness import PROGRAM, Cli


@pytest.fixture
def cli(tmp_path: Path) -> Cli:
    made = Cli(tmp_path, engine="fake")
    # A busy host is to hold nothing up here.
    made.env["EVALBOX_LOAD_PER_CORE"] = "1000"
    return made


@pytest.fixture
def gvisor(tmp_path: Path) -> Iterator[Cli]:
    """Leaves no sandbox behind."""
    made = Cli(tmp_path)
    made.env["EVALBOX_LOAD_PER_CORE"] = "1000"
    yield made
    left = [one["id"] for one in made("sandbox", "ls", "--json").json]
    if left:
        made("sandbox", "rm", *left)


@pytest.fixture
def service(cli: Cli) -> Iterator[subprocess.Popen[bytes]]:
    running = cli.start("--serve")
    deadline = time.monotonic() + 60
    while not (cli.data / "evalbox.sock").exists():
        assert time.monotonic() < deadline
        assert running.poll() is None
        time.sleep(0.05)
    yield running
    running.send_signal(signal.SIGTERM)
    running.communicate(timeout=60)


def test_against_a_service(cli: Cli, service: object) -> None:
    assert cli("sandbox").out == b""
    made = cli("sandbox", "create", "--name", "x", "--label", "a=b", "-e", "T=hunter2")
    short = made.text.strip()
    assert made.said == ""
    (listed,) = cli("sandbox", "ls", "--json", "--label", "a=b").json
    assert (listed["short_id"], listed["name"], listed["env"]) == (short, "x", ["T"])
    assert "hunter2" not in cli("sandbox", "show", "x", "--json").text
    assert "running" in cli("sandbox", "show", short).text
    ran = cli("sandbox", "exec", "x", "env", "T", ";", "error", "e", ";", "exit", "7")
    assert (ran.out, ran.err, ran.code) == (b"hunter2\n", b"e\n", 7)
    ran = cli("sandbox", "exec", "-i", "x", "--", "cat", stdin=b"\xffin")
    assert ran.out == b"\xffin"
    assert cli("sandbox", "exec", "x", "cat", stdin=b"not read").out == b""
    timed = cli("sandbox", "exec", "--timeout", "200ms", "x", "sleep", "inf")
    assert timed.code == 124
    assert "its time was up" in timed.said
    told = cli("sandbox", "exec", "--json", "x", "echo", "hi").json
    assert (told["stdout"], told["exit_code"]) == ("hi\n", 0)
    kept = cli("sandbox", "keep", "x", "--for", "2h", "--json").json
    assert kept["deadline"] > listed["deadline"]
    assert cli("sandbox", "rm", "x", "missing").code == 66
    assert cli("sandbox", "show", "x").code == 0
    (removed,) = cli("sandbox", "rm", "x", short, "x", "--json").json
    assert removed["end"] == "removed"
    assert cli("sandbox", "exec", "x", "true").code == 66
    assert "removed" in cli("sandbox", "ls", "--all").text


def test_copies(cli: Cli, service: object) -> None:
    cli("sandbox", "create", "--name", "x")
    source = cli.work / "file"
    source.write_bytes(b"content")
    assert cli("sandbox", "cp", source, "x:/home/agent/in/").code == 0
    (entry,) = cli("sandbox", "files", "x", "/home/agent/in", "--json").json
    assert (entry["name"], entry["size"]) == ("file", 7)
    assert cli("sandbox", "cp", "x:/home/agent/in/file", "-").out == b"content"
    assert cli("sandbox", "cp", "x:/home/agent/in/file", "copy").code == 0
    assert (cli.work / "copy").read_bytes() == b"content"
    assert cli("sandbox", "cp", "-", "x:/home/agent/std", stdin=b"std").code == 0
    assert cli("sandbox", "cp", "x:/home/agent/std", "-").out == b"std"
    assert cli("sandbox", "cp", "x:/missing", "-").code == 66
    assert cli("sandbox", "cp", "missing", "x:/f").code == 66
    assert cli("sandbox", "cp", "one", "two").code == 65


@pytest.mark.parametrize(
    "arguments",
    [
        ("create", "--for", "8d"), ("create", "--for", "0"), ("create", "--memory", "lots"),
        ("create", "--engine", "docker"), ("create", "--name", "\n"), ("create", "-e", "1=2"),
        ("create", "--label", "x"), ("create", "--pids", "1"), ("create", "--workdir", "x"),
        ("keep", "x", "--for", "soon"), ("keep", "x", "--for", "0"),
        ("exec", "--timeout", "-1", "x", "true"),
        ("exec", "-w", "x", "x", "true"), ("shell", "x"), ("ls", "--label", "x"),
    ],
)  # fmt: skip
def test_bad_input(cli: Cli, arguments: tuple[str, ...]) -> None:
    ended = cli("sandbox", *arguments)
    assert (ended.code, ended.out) == (65, b"")
    assert ended.said.startswith("evalbox: error: ")


@pytest.mark.gvisor
def test_without_a_service_each_command_takes_it_over(gvisor: Cli) -> None:
    made = gvisor("sandbox", "create", "--name", "x")
    assert "no service runs" in made.said
    assert gvisor("sandbox", "exec", "x", "sh", "-c", "echo state >state").code == 0
    assert gvisor("sandbox", "exec", "x", "cat", "state").out == b"state\n"
    assert gvisor("sandbox", "rm", "x").code == 0


@pytest.mark.gvisor
def test_a_shell_on_a_terminal(gvisor: Cli) -> None:
    gvisor("sandbox", "create", "--name", "x")
    parent, child = pty.openpty()
    running = subprocess.Popen(
        [*PROGRAM, "sandbox", "shell", "x"],
        stdin=child,
        stdout=child,
        stderr=child,
        cwd=gvisor.work,
        env=gvisor.env | {"TERM": "dumb"},
        start_new_session=True,
    )
    os.close(child)
    try:
        os.write(parent, b"echo $((20 + 22))-answer; exit 9\n")
        seen = b""
        deadline = time.monotonic() + 60
        while b"42-answer" not in seen:
            assert time.monotonic() < deadline, seen
            if select.select([parent], [], [], 1)[0]:
                seen += os.read(parent, 65536)
        assert running.wait(30) == 9
    finally:
        running.kill()
        running.wait()
        os.close(parent)
