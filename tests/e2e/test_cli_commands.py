"""Every command, as a user has it, on the fake engine."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from pathlib import Path

import pytest
from cli_harness import PROGRAM, Cli, finish


@pytest.fixture
def cli(tmp_path: Path) -> Cli:
    return Cli(tmp_path, engine="fake")


def test_run_prints_data_on_stdout_and_the_rest_on_stderr(cli: Cli) -> None:
    ended = cli("run", "--", "echo", "hi")
    assert (ended.code, ended.out) == (0, b"hi\n")
    assert ended.said.startswith("submitted ")
    assert ended.said.splitlines()[-1].startswith("ok in ")


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


def test_submit_wait_logs_show(cli: Cli) -> None:
    submitted = cli("submit", "--name", "greeting", "--", "echo", "hi", ";", "exit", "4")
    assert submitted.code == 0
    assert "evalbox --serve" in submitted.said
    identifier = submitted.text.strip()
    assert len(identifier) == 22
    assert cli("ls", "--json").json[0]["state"] == "queued"
    assert "no process runs the queue" in cli("explain", identifier).text
    waited = cli("wait", identifier)
    assert waited.code == 4
    assert identifier[-8:] in waited.text
    assert cli("logs", identifier).out == b"hi\n"
    shown = cli("show", identifier).text
    for word in ("greeting", "failed", "exit", "evaluation.queued", "attempt 1"):
        assert word in shown
    full = cli("show", identifier, "--json").json
    assert (full["name"], full["exit_code"], len(full["attempts"])) == ("greeting", 4, 1)
    assert full["events"][-1]["kind"] == "evaluation.failed"


def test_an_id_is_known_by_any_beginning(cli: Cli) -> None:
    identifier = cli("submit", "--in", "1h", "--", "true").text.strip()
    for reference in (identifier, identifier[-8:], identifier[-8:-4], identifier[:20]):
        assert cli("show", reference, "--json").json["id"] == identifier


def test_submitting_again_with_the_same_key_changes_nothing(cli: Cli) -> None:
    first, second = (
        cli("submit", "--idempotency-key", "k", "--at", "2999-01-01", "--", "true")
        for _ in range(2)
    )
    assert first.code == second.code == 0
    assert first.out == second.out
    assert len(cli.evaluations()) == 1
    other = cli("submit", "--idempotency-key", "k", "--", "false")
    assert other.code == 65


def test_detach_is_submit(cli: Cli) -> None:
    identifier = cli("run", "--detach", "--", "true").text.strip()
    assert cli("ls", "--json").json[0]["id"] == identifier


def test_wait_gives_up_in_time(cli: Cli) -> None:
    identifier = cli("submit", "--in", "1h", "--", "true").text.strip()
    ended = cli("wait", "--timeout", "0.2", identifier)
    assert ended.code == 75
    assert "0 of 1" in ended.said


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


def test_cancel(cli: Cli) -> None:
    first, second, third = (
        cli("submit", "--in", "1h", "--batch", "b", "--", "true").text.strip() for _ in range(3)
    )
    ended = cli("cancel", first[-8:])
    assert ended.text == f"{first[-8:]}  cancelled\n"
    assert cli("cancel", first).code == 65
    assert cli("cancel", "--batch", "b", "--json").json[0]["state"] == "cancelled"
    assert {item["id"] for item in cli("ls", "--state", "cancelled", "--json").json} == {
        first, second, third,
    }  # fmt: skip
    assert "nothing to be cancelled" in cli("cancel", "--all", "--yes").said


def test_retry(cli: Cli) -> None:
    cli("run", "--batch", "b", "--", "false")
    identifier = cli.evaluations()[0]["id"]
    assert cli("retry", identifier).text == f"{identifier[-8:]}  queued\n"
    assert cli("retry", identifier).code == 65
    assert cli("wait", identifier).code == 1
    assert len(cli("retry", "--batch", "b", "--json").json) == 1
    assert "nothing" in cli("retry", "--dead").said


def test_rm(cli: Cli) -> None:
    for word in ("true", "false", "true", "true"):
        cli("run", "--batch", word, "--", word)
    queued = cli("submit", "--in", "1h", "--", "true").text.strip()
    failed = cli("ls", "--state", "failed", "--json").json[0]["id"]
    assert cli("rm", queued).code == 65
    assert cli("rm", "--state", "failed").code == 0
    assert cli("show", failed).code == 66
    assert "nothing to remove" in cli("rm", "--older-than", "1h").said
    assert cli("rm", "--batch", "true").code == 65
    assert len(cli("rm", "--batch", "true", "--yes", "--json").json) == 3
    assert [item["id"] for item in cli.evaluations()] == [queued]


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


def test_batches(cli: Cli) -> None:
    assert "no batches" in cli("batch").said
    for word in ("true", "false"):
        cli("run", "--batch", "nightly", "--", word)
    found = cli("batch", "ls", "--json").json
    assert (found[0]["name"], found[0]["total"]) == ("nightly", 2)
    assert "nightly" in cli("batch").text
    assert cli("batch", "limit", "nightly", "2", "--json").json["concurrency"] == 2
    assert cli("batch", "limit", "nightly", "none", "--json").json["concurrency"] is None
    assert cli("batch", "limit", "nightly", "0").code == 65
    shown = cli("batch", "show", "nightly", "--json").json
    assert len(shown["evaluations"]) == 2
    assert "1 completed, 1 failed" in cli("batch", "show", "nightly").text
    assert cli("batch", "retry", "nightly").text.endswith("queued\n")
    assert cli("batch", "wait", "nightly").code == 1
    assert cli("batch", "cancel", "nightly").code == 0
    assert cli("batch", "rm", "nightly", "--yes").code == 0
    assert cli.evaluations() == []


def test_queue(cli: Cli) -> None:
    assert cli("queue", "--json").json["working"] is False
    assert cli("queue", "pause", "--json").json["paused"] is True
    identifier = cli("submit", "--", "true").text.strip()
    assert cli("wait", "--timeout", "0.5", identifier).code == 75
    assert cli("queue", "resume", "--json").json["paused"] is False
    assert cli("queue", "limit", "3", "--json").json["slots"] == 3
    assert cli("wait", identifier).code == 0
    assert "of 3 at once" in cli("queue").text


def test_run_says_why_it_waits(cli: Cli) -> None:
    cli("queue", "pause")
    running = cli.start("run", "--", "true")
    assert running.stderr is not None
    assert b"submitted" in running.stderr.readline()
    assert b"paused" in running.stderr.readline()
    cli("queue", "resume")
    assert finish(running).code == 0


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


def test_serve_runs_the_queue_until_it_is_told_to_stop(cli: Cli) -> None:
    serving = cli.start("--log-level", "error", "--serve")
    assert serving.stderr is not None
    assert b"runs the queue" in serving.stderr.readline()
    submitted = cli("submit", "--", "echo", "hi")
    assert submitted.err == b""
    assert cli("wait", submitted.text.strip()).code == 0
    second = cli.start("--serve")
    assert second.stderr is not None
    said = second.stderr.readline() + second.stderr.readline()
    assert b"stands by" in said
    assert finish(serving, signal.SIGTERM).code == 0
    assert cli("run", "--", "true").code == 0
    assert finish(second, signal.SIGINT).code == 0


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


def test_backup_and_restore(cli: Cli) -> None:
    cli("run", "--name", "kept", "--", "true")
    assert cli("backup", "copy.db").code == 0
    assert cli("backup", "copy.db").code == 65
    cli("run", "--name", "later", "--", "true")
    assert cli("restore", "copy.db").code == 65
    ended = cli("restore", "--force", "copy.db", "--json")
    assert ended.code == 0, ended
    assert Path(ended.json["kept_aside"]).is_dir()
    assert [item["name"] for item in cli.evaluations()] == ["kept"]
    serving = cli.start("--serve")
    assert serving.stderr is not None
    serving.stderr.readline()
    assert cli("restore", "--force", "copy.db").code == 75
    assert finish(serving, signal.SIGTERM).code == 0


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
