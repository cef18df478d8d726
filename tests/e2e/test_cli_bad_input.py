"""What bad input gets: one clear line, a remedy, a status of its own, and nothing half-created."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from cli_harness import Cli, Ended


@pytest.fixture
def cli(tmp_path: Path) -> Cli:
    box = Cli(tmp_path, engine="fake")
    (box.work / "x.py").write_text("print(1)\n")
    (box.work / "latin.py").write_bytes(b"print('\xe9')\n")
    (box.work / "notes.txt").write_text("hello")
    (box.work / "program").write_bytes(b"\x7fELF\x02\x01\x01\x00\x00")
    (box.work / "dir").mkdir()
    (box.work / "secret.py").write_text("print(1)")
    os.mkfifo(box.work / "pipe")
    (box.work / "dir" / "link").symlink_to("/etc/passwd")
    return box


def refused(ended: Ended, code: int, *words: str, hint: bool = True) -> None:
    assert ended.code == code, ended
    assert ended.out == b""
    lines = ended.said.splitlines()
    assert lines[0].startswith("evalbox: error: "), ended.said
    assert len(lines) <= 2
    if hint:
        assert lines[1].startswith("  hint: ")
    for word in words:
        assert word in ended.said


LIMITS = [
    *((option, "0") for option in ("--cpus", "--memory", "--timeout", "--disk", "--pids")),
    *(("--output-limit", text) for text in ("0", "-1", "nan", "1e308")),
]


@pytest.mark.parametrize(("option", "value"), LIMITS)
def test_limits_that_make_no_sense(cli: Cli, option: str, value: str) -> None:
    name = option.removeprefix("--").removesuffix("-limit")
    refused(cli("run", option, value, "x.py"), 65, name, hint=False)
    assert not cli.data.exists()


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["nope.py"], 66, ["nope.py", "no such file"]),
        (["dir"], 65, ["dir", "is a directory"]),
        (["latin.py"], 65, ["latin.py", "UTF-8", "line 1"]),
        (["notes.txt"], 65, ["notes.txt", "language", "py, js"]),
        (["program"], 65, ["program", "binary", "--file"]),
        (["pipe"], 65, ["pipe", "not a regular file"]),
        (["x.py", "--file", "nope"], 66, ["nope"]),
        (["x.py", "--file", "dir"], 65, ["dir/link", "/etc/passwd", "outside"]),
        (["x.py", "--file", "pipe"], 65, ["pipe", "not a regular file"]),
        (["x.py", "--file", "notes.txt:../../etc/x"], 65, ["../../etc/x"]),
        (["x.py", "--stdin", "nope"], 66, ["nope"]),
        (["x.py", "--stdin", "dir"], 65, ["dir", "directory"]),
        (["x.py", "--env", "1=2"], 65, ["'1'", "NAME=VALUE"]),
        (["x.py", "--env", "NOT_SET_ANYWHERE"], 65, ["NOT_SET_ANYWHERE"]),
        (["x.py", "--env-file", "nope"], 66, ["nope"]),
        (["x.py", "--engine", "vmware"], 65, ["vmware", "gvisor"]),
        (["x.py", "--at", "teatime"], 65, ["teatime", "18:30"]),
        (["x.py", "--at", "1999-01-01"], 65, ["1999-01-01", "past"]),
        (["x.py", "--in", "soon"], 65, ["soon", "10m"]),
        (["x.py", "--retries", "-1"], 65, ["retries", "-1"]),
        (["x.py", "--repeat", "0"], 65, ["repeat", "0"]),
        (["x.py", "--label", "novalue"], 65, ["novalue", "KEY=VALUE"]),
        (["x.py", "--name", "a\x1b[2Jb"], 65, ["name"]),
        (["-", "--lang", "cobol"], 65, ["cobol"]),
        (["-"], 65, ["standard input", "--lang"]),
    ],
    ids=lambda value: " ".join(map(str, value)) if isinstance(value, list) else str(value),
)
def test_what_is_refused(cli: Cli, arguments: list[str], code: int, words: list[str]) -> None:
    ended = cli("run", *arguments, stdin=b"hello")
    refused(ended, code, *words, hint=False)
    assert not cli.data.exists()


def test_submit_refuses_the_same(cli: Cli) -> None:
    refused(cli("submit", "nope.py"), 66, "nope.py")
    refused(cli("submit", "--cpus", "0", "x.py"), 65, "cpus")
    assert not cli.data.exists()


@pytest.mark.parametrize(
    "arguments",
    [
        ["run"],
        ["run", "--no-such-option", "x.py"],
        ["run", "x.py", "--verbose"],
        ["run", "--network", "lan", "x.py"],
        ["run", "--cpus"],
        ["frobnicate"],
        ["cancel"],
        ["cancel", "--all", "abcd"],
        ["rm"],
        ["show"],
        ["artifacts", "abcd", "--get", "x", "--to", "y"],
        ["--serve", "ls"],
    ],
    ids=" ".join,
)
def test_wrong_usage(cli: Cli, arguments: list[str]) -> None:
    refused(cli(*arguments), 2, "--help")
    assert not cli.data.exists()


def test_a_script_in_place_of_a_command(cli: Cli) -> None:
    refused(cli("x.py"), 2, "evalbox run x.py")


@pytest.mark.parametrize(
    "arguments",
    [
        ["show", "zzzzzzzz"],
        ["logs", "zzzzzzzz"],
        ["cancel", "zzzzzzzz"],
        ["retry", "zzzzzzzz"],
        ["rm", "zzzzzzzz"],
        ["wait", "zzzzzzzz"],
        ["artifacts", "zzzzzzzz"],
        ["explain", "zzzzzzzz"],
        ["events", "zzzzzzzz"],
        ["batch", "show", "zzzzzzzz"],
        ["batch", "cancel", "zzzzzzzz"],
        ["batch", "retry", "zzzzzzzz"],
        ["batch", "rm", "zzzzzzzz"],
        ["batch", "wait", "zzzzzzzz"],
        ["restore", "zzzzzzzz"],
    ],
    ids=" ".join,
)
def test_nothing_by_that_name(cli: Cli, arguments: list[str]) -> None:
    refused(cli(*arguments), 66, "zzzzzzzz", hint=False)


@pytest.mark.parametrize("reference", ["", "UPPER", "a/b", "ü", "x" * 50, "-", "a b", "$(id)"])
def test_what_cannot_be_an_id(cli: Cli, reference: str) -> None:
    ended = cli("show", "--", reference)
    assert ended.code in (65, 66), ended
    assert ended.said.startswith("evalbox: error: ")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["ls", "--state", "sleeping"], ["sleeping", "queued"]),
        (["ls", "--outcome", "great"], ["great", "ok"]),
        (["ls", "--since", "yore"], ["yore"]),
        (["ls", "--limit", "0"], ["limit", "0"]),
        (["ls", "--label", "x"], ["KEY=VALUE"]),
        (["ls", "--engine", "vmware"], ["vmware"]),
        (["rm", "--state", "running"], ["running", "completed"]),
        (["rm", "--older-than", "old"], ["old"]),
        (["queue", "limit", "0"], ["0", "1024"]),
        (["queue", "limit", "many"], ["many"]),
        (["events", "--after", "-1"], ["after"]),
        (["wait", "x", "--timeout", "nan"], ["nan"]),
    ],
    ids=" ".join,
)
def test_options_of_other_commands(cli: Cli, arguments: list[str], words: list[str]) -> None:
    refused(cli(*arguments), 65, *words, hint=False)


def test_an_unknown_image(cli: Cli) -> None:
    refused(cli("run", "--image", "no-such:1", "x.py"), 66, "no-such:1", hint=False)
    assert cli.evaluations() == []


def test_settings_that_cannot_be_used(cli: Cli) -> None:
    refused(cli("ls", env={"EVALBOX_SLOTS": "0"}), 78, "slots", hint=False)
    refused(cli("--log-level", "loud", "ls"), 78, "loud", hint=False)
    (cli.work / "config.toml").write_text("nonsense = 1\n")
    refused(cli("ls", env={"EVALBOX_CONFIG": "config.toml"}), 78, "nonsense", "config.toml")
    (cli.work / "config.toml").write_text("= 1\n")
    refused(cli("config", env={"EVALBOX_CONFIG": "config.toml"}), 78, "config.toml")
    refused(cli("ls", env={"EVALBOX_CONFIG": "nope.toml"}), 78, "nope.toml")


def test_a_data_directory_that_is_none(cli: Cli) -> None:
    (cli.work / "file").write_text("")
    ended = cli("--data-dir", "file", "ls")
    assert ended.code in (73, 74), ended
    refused(ended, ended.code, "file", hint=False)


def test_a_database_that_is_none(cli: Cli) -> None:
    cli("ls")
    database = next(cli.data.glob("*.db"))
    database.write_bytes(b"this is no database" * 1000)
    for leftover in cli.data.glob("*-wal"):
        leftover.unlink()
    refused(cli("ls"), 74, hint=False)


def test_confirmation_that_nobody_can_give(cli: Cli) -> None:
    for _ in range(2):
        cli("submit", "--in", "1h", "--batch", "b", "x.py")
    refused(cli("cancel", "--all"), 65, "--yes")
    refused(cli("batch", "cancel", "b"), 65, "--yes")
    assert {item["state"] for item in cli.evaluations()} == {"queued"}


def test_an_ambiguous_id_lists_what_it_may_stand_for(cli: Cli) -> None:
    # More than there are characters to begin with.
    ids = cli("submit", "--in", "1h", "--repeat", "40", "x.py").text.split()
    shared = next(one[-8] for one in ids if sum(other[-8] == one[-8] for other in ids) > 1)
    ended = cli("show", shared)
    assert ended.code == 65
    assert "evalbox: error: " in ended.said
    for one in ids:
        assert (one in ended.said) == (one[-8] == shared)


def test_a_full_disk_on_standard_output(cli: Cli) -> None:
    import subprocess

    from cli_harness import PROGRAM

    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            [*PROGRAM, "config"], stdout=full, stderr=subprocess.PIPE, env=cli.env, check=False
        )
    assert done.returncode == 74
    assert b"no space left" in done.stderr
    assert b"Traceback" not in done.stderr
