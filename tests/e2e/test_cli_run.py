"""Running programs: what comes out, and with which status. On the fake engine, but where said."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from cli_harness import SAMPLES, Cli, finish


@pytest.fixture
def cli(tmp_path: Path) -> Cli:
    return Cli(tmp_path, engine="fake")


def test_run_prints_data_on_stdout_and_the_rest_on_stderr(cli: Cli) -> None:
    ended = cli("run", "--", "echo", "hi")
    assert (ended.code, ended.out) == (0, b"hi\n")
    lines = ended.said.splitlines()
    assert any(line.startswith("submitted ") for line in lines)
    assert lines[-1].startswith("ok in ")


def test_the_program_s_streams_stay_apart_and_as_they_are(cli: Cli) -> None:
    ended = cli("-q", "run", "--", "echo", "\x1b[31mred", ";", "error", "bad")
    assert (ended.out, ended.err) == (b"\x1b[31mred\n", b"bad\n")


@pytest.mark.parametrize(
    ("command", "code"),
    [
        (("true",), 0),
        (("false",), 1),
        (("exit", "42"), 42),
        (("signal", "15"), 143),
        (("signal", "9"), 137),
        (("oom",), 121),
        (("frobnicate",), 127),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else None,
)
def test_the_exit_status_is_the_program_s_or_the_outcome_s(
    cli: Cli, command: tuple[str, ...], code: int
) -> None:
    assert cli("run", "--", *command).code == code


def test_timeout_and_output_limit(cli: Cli) -> None:
    ended = cli("run", "--timeout", "0.2", "--", "sleep", "inf")
    assert ended.code == 124
    assert "timeout" in ended.said
    assert cli("run", "--output-limit", "64k", "--", "print", "300000").code == 122


def test_flags_of_the_program_are_taken_on_both_sides(cli: Cli) -> None:
    assert cli("--quiet", "run", "--", "true").err == b""
    assert cli("run", "--quiet", "--", "true").err == b""
    assert cli("ls", "--data-dir", cli.work / "other", "--json").json == []


def test_run_as_json(cli: Cli) -> None:
    ended = cli("run", "--json", "--label", "a=b", "--", "echo", "hi", ";", "exit", "3")
    assert ended.code == 3
    found = ended.json
    assert (found["outcome"], found["exit_code"], found["stdout"]) == ("failed", 3, "hi\n")
    assert found["labels"] == {"a": "b"}
    assert found["attempts"][0]["outcome"] == "failed"


def test_environment_and_standard_input(cli: Cli) -> None:
    ended = cli("run", "-e", "A=1", "-e", "B", "--", "env", "A", ";", "env", "B", env={"B": "2"})
    assert ended.out == b"1\n2\n"
    assert cli("run", "--stdin", "-", "--", "cat", stdin=b"a\0\xffb").out == b"a\0\xffb"
    (cli.work / "in").write_bytes(b"file")
    assert cli("run", "--stdin", "in", "--", "cat").out == b"file"
    assert cli("run", "--file", "in:x", "--", "cat", "/home/agent/x").out == b"file"


def test_retries_until_it_works(cli: Cli) -> None:
    ended = cli("run", "--retries", "2", "--json", "--", "flaky", "1")
    assert ended.code == 0
    assert [one["outcome"] for one in ended.json["attempts"]] == ["failed", "ok"]


def test_repeat_prints_a_line_each_and_exits_as_the_worst(cli: Cli) -> None:
    ended = cli("run", "--repeat", "3", "--batch", "b", "--", "flaky", "1")
    assert ended.code == 1
    assert len(ended.text.splitlines()) == 3
    assert "3 evaluations in" in ended.said
    assert "1 failed, 2 ok" in ended.said
    assert len(cli("run", "--repeat", "2", "--json", "--", "true").json) == 2


def test_artifacts(cli: Cli) -> None:
    ended = cli(
        "run", "--artifact", "a.txt", "--artifact", "b", "--",
        "artifact", "a.txt", "one", ";", "artifact", "b", "two",
    )  # fmt: skip
    identifier = cli.evaluations()[0]["id"]
    default = cli.work / "evalbox-artifacts" / identifier[-8:]
    assert f"in evalbox-artifacts/{identifier[-8:]}/" in ended.said
    assert {path.read_text() for path in default.rglob("*") if path.is_file()} == {"one", "two"}
    listed = cli("artifacts", identifier, "--json").json
    assert len(listed) == 2
    path = listed[0]["path"]
    assert path in cli("artifacts", identifier).text
    assert cli("artifacts", identifier, "--get", path, "-o", "-").out == b"one"
    assert cli("artifacts", identifier, "--get", path, "-o", "copy").code == 0
    assert (cli.work / "copy").read_text() == "one"
    assert cli("artifacts", identifier, "--to", "all").code == 0
    assert (cli.work / "all" / path).read_text() == "one"
    assert cli("artifacts", identifier, "--get", "nope").code == 66


def test_artifacts_that_are_not_there_or_cannot_be_written(cli: Cli) -> None:
    ended = cli("run", "--artifact", "nope", "--", "true")
    assert ended.code == 0
    assert "nothing was found" in ended.said
    assert not (cli.work / "evalbox-artifacts").exists()
    (cli.work / "file").write_text("")
    ended = cli("run", "--artifact", "a", "--artifacts-dir", "file", "--", "artifact", "a", "x")
    assert ended.code == 73
    assert "file" in ended.said


def test_run_says_why_it_waits(cli: Cli) -> None:
    cli("queue", "pause")
    running = cli.start("run", "--", "true")
    assert running.stderr is not None
    assert b"submitted" in running.stderr.readline()
    assert b"paused" in running.stderr.readline()
    cli("queue", "resume")
    assert finish(running).code == 0


def test_two_runs_at_once_on_one_directory(cli: Cli) -> None:
    first = cli.start("run", "--", "sleep", "0.6", ";", "echo", "first")
    second = cli.start("run", "--", "sleep", "0.3", ";", "echo", "second")
    ended = finish(first), finish(second)
    assert [one.code for one in ended] == [0, 0]
    assert [one.out for one in ended] == [b"first\n", b"second\n"]
    assert [len(item["attempts"]) for item in map(full(cli), cli.evaluations())] == [1, 1]


def full(cli: Cli):  # type: ignore[no-untyped-def]
    return lambda item: cli("show", item["id"], "--json").json


def test_a_run_lets_others_of_its_process_end(cli: Cli) -> None:
    cli("submit", "--", "sleep", "1.5", ";", "echo", "slow")
    ended = cli("run", "--", "true")
    assert ended.code == 0
    assert "waiting for 1 more" in ended.said
    assert {item["outcome"] for item in cli.evaluations()} == {"ok"}


def test_the_process_engine_says_what_it_means(cli: Cli) -> None:
    ended = cli("run", "--engine", "process", SAMPLES / "hello" / "hello.py", "Ada")
    assert ended.code == 0, ended
    assert ended.text.startswith("Hello, Ada, from Python")
    assert "confines nothing" in ended.said
    cli.env["EVALBOX_ENGINE"] = "process"
    refused = cli("run", SAMPLES / "hello" / "hello.py")
    assert refused.code == 65
    assert "--engine process" in refused.said
    assert cli("doctor", "--engine", "process").code == 1


def test_logging_is_on_when_it_is_asked_for(cli: Cli) -> None:
    ended = cli("--log-level", "info", "--log-format", "json", "run", "--", "true")
    lines = [json.loads(line) for line in ended.said.splitlines() if line.startswith("{")]
    assert any(line["event"] == "ended" and line["outcome"] == "ok" for line in lines)
    assert "{" not in cli("run", "--", "true").said
