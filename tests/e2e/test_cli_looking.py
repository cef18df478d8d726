"""Looking at what was run, and at the box itself. On the fake engine, but where said."""

from __future__ import annotations

import json
import signal
import subprocess
from pathlib import Path

import pytest
from cli_harness import PROGRAM, Cli, finish


@pytest.fixture
def cli(tmp_path: Path) -> Cli:
    return Cli(tmp_path, engine="fake")


def test_ls_filters(cli: Cli) -> None:
    cli("run", "--name", "good", "--label", "k=v", "--", "true")
    cli("run", "--name", "bad", "--batch", "b", "--", "false")
    cli("submit", "--name", "later", "--in", "1h", "--", "true")

    def names(*arguments: str) -> list[str]:
        return [item["name"] for item in cli("ls", "--json", *arguments).json]

    assert names() == ["later", "bad", "good"]
    assert names("--state", "queued,completed") == ["later", "good"]
    assert names("--outcome", "failed") == ["bad"]
    assert names("--batch", "b") == ["bad"]
    assert names("--name", "*oo*") == ["good"]
    assert names("--label", "k=v") == ["good"]
    assert names("--engine", "gvisor") == []
    assert names("--since", "1h") == ["later", "bad", "good"]
    assert names("--since", "2999-01-01") == []
    assert names("--limit", "1") == ["later"]
    table = cli("ls", "--limit", "2")
    assert table.text.splitlines()[0].split()[:3] == ["ID", "STATE", "OUTCOME"]
    assert len(table.text.splitlines()) == 3
    assert "--all" in table.said
    assert cli("list", "--json").json == cli("ls", "--json").json


def test_ls_of_nothing_is_no_error(cli: Cli) -> None:
    ended = cli("ls")
    assert (ended.code, ended.out) == (0, b"")
    assert cli("ls", "--json").json == []


def test_ls_watch_shows_changes(cli: Cli) -> None:
    watching = cli.start("ls", "--watch", "--json")
    assert watching.stdout is not None
    assert json.loads(watching.stdout.readline()) == []
    cli("submit", "--in", "1h", "--", "true")
    assert [item["state"] for item in json.loads(watching.stdout.readline())] == ["queued"]
    ended = finish(watching, signal.SIGINT)
    assert (ended.code, ended.err) == (130, b"")


def test_hostile_names_are_inert_in_tables(cli: Cli) -> None:
    script = cli.work / "evil\x1b[2J.py"
    script.write_text("1")
    cli("submit", "--in", "1h", script.name)
    identifier = cli.evaluations()[0]["id"]
    for ended in (cli("ls"), cli("show", identifier)):
        assert b"\x1b" not in ended.out


def test_logs(cli: Cli) -> None:
    cli("run", "--", "echo", "1", ";", "error", "2", ";", "echo", "3", ";", "echo", "4")
    identifier = cli.evaluations()[0]["id"]
    assert (cli("logs", identifier).out, cli("logs", identifier).err) == (b"1\n3\n4\n", b"2\n")
    assert cli("logs", "--stream", "stderr", identifier).out == b""
    assert cli("logs", "--stream", "stdout", "--tail", "2", identifier).out == b"3\n4\n"
    assert cli("logs", "--tail", "0", identifier).out == b""
    assert cli("logs", "--tail", "99", identifier).out == b"1\n3\n4\n"
    assert cli("logs", "-f", identifier).out == b"1\n3\n4\n"
    assert cli("logs", "--attempt", "2", identifier).code == 66
    stamped = cli("logs", "-t", identifier).text.splitlines()
    assert [line.split()[1] for line in stamped] == ["1", "3", "4"]
    assert all(line[4] == "-" and "T" in line.split()[0] for line in stamped)
    pieces = [json.loads(line) for line in cli("logs", "--json", identifier).out.splitlines()]
    assert "".join(piece["text"] for piece in pieces if piece["stream"] == "stdout") == "1\n3\n4\n"


def test_logs_follow_runs_the_queue_if_nobody_does(cli: Cli) -> None:
    identifier = cli(
        "submit", "--", "echo", "a", ";", "sleep", "0.3", ";", "echo", "b"
    ).text.strip()
    assert cli("logs", "-f", identifier).out == b"a\nb\n"


def test_events(cli: Cli) -> None:
    cli("run", "--", "true")
    identifier = cli.evaluations()[0]["id"]
    kinds = [json.loads(line)["kind"] for line in cli("events", "--json").out.splitlines()]
    assert kinds[0] == "evaluation.queued"
    assert kinds[-1] == "evaluation.completed"
    assert cli("events", identifier[-8:]).text.count(identifier[-8:]) == len(kinds)
    last = len(kinds)
    following = cli.start("events", "-f", "--after", str(last - 1), "--json")
    assert following.stdout is not None
    assert json.loads(following.stdout.readline())["seq"] == last
    cli("submit", "--in", "1h", "--", "true")
    assert json.loads(following.stdout.readline())["kind"] == "evaluation.queued"
    assert finish(following, signal.SIGINT).code == 130


def test_config_names_where_each_setting_is_from(cli: Cli) -> None:
    (cli.work / "config.toml").write_text("slots = 7\n")
    env = {"EVALBOX_CONFIG": "config.toml", "EVALBOX_WARM": "1"}
    found = cli("--log-level", "info", "config", "--json", env=env).json
    assert found["slots"] == {"value": 7, "from": "config.toml"}
    assert found["warm"] == {"value": 1, "from": "EVALBOX_WARM"}
    assert found["log_level"] == {"value": "info", "from": "--log-level"}
    assert found["image"]["from"] == "default"
    assert "config.toml" in cli("config", env=env).text


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_scripts(cli: Cli, shell: str) -> None:
    assert "_EVALBOX_COMPLETE" in cli("completion", shell).text


def test_completion_knows_commands_options_and_ids(cli: Cli) -> None:
    identifier = cli("submit", "--in", "1h", "--", "true").text.strip()

    def complete(*words: str) -> str:
        env = {
            "_EVALBOX_COMPLETE": "bash_complete",
            "COMP_WORDS": " ".join(("evalbox", *words)),
            "COMP_CWORD": str(len(words)),
        }
        return cli(env=env).text

    assert "plain,submit" in complete("su")
    assert "plain,--memory" in complete("run", "--mem")
    assert f"plain,{identifier[-8:]}" in complete("show", identifier[-8:-5])
    assert "plain,pause" in complete("queue", "pa")


def test_an_unexpected_error_is_one_line_and_a_file(cli: Cli) -> None:
    code = (
        "import sys; from evalbox.cli import app, listing; "
        "listing.make_filter = lambda **given: 1 / 0; app.main(['ls'])"
    )
    done = subprocess.run(
        [PROGRAM[0], "-c", code], env=cli.env, capture_output=True, timeout=60, check=False
    )
    lines = done.stderr.decode().splitlines()
    assert done.returncode == 70
    assert lines[0] == "evalbox: error: unexpected: ZeroDivisionError: division by zero"
    assert "Traceback" in Path(lines[1].split()[-1]).read_text()
    done = subprocess.run(
        [PROGRAM[0], "-c", code], env=cli.env | {"EVALBOX_DEBUG": "1"}, capture_output=True,
        timeout=60, check=False,
    )  # fmt: skip
    assert b"Traceback" in done.stderr


def test_help_everywhere(cli: Cli) -> None:
    assert cli().text == cli("--help").text
    for command in ("run", "submit", "queue", "batch", "images", "doctor"):
        ended = cli(command, "--help")
        assert ended.code == 0
        assert ended.text.startswith("Usage: evalbox")


def test_doctor_on_the_fake_engine(cli: Cli) -> None:
    ended = cli("doctor", "--engine", "fake")
    assert ended.code in (0, 1), ended
    assert "fake engine" in ended.text
    assert cli("doctor", "--engine", "vmware").code == 65
    broken = cli("doctor", "--engine", "fake", "--json", "--data-dir", "/proc/no/such")
    assert broken.code == 69
    failure = next(check for check in broken.json if check["level"] == "failure")
    assert failure["remedy"]
