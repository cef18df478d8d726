"""Submitting, waiting, and steering what is queued. On the fake engine, but where said."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest
from cli_harness import Cli, finish


@pytest.fixture
def cli(tmp_path: Path) -> Cli:
    return Cli(tmp_path, engine="fake")


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


def test_serve_runs_the_queue_until_it_is_told_to_stop(cli: Cli) -> None:
    serving = cli.start("--log-level", "error", "--serve")
    assert serving.stderr is not None
    assert b"serves on" in serving.stderr.readline()
    submitted = cli("submit", "--", "echo", "hi")
    assert submitted.err == b""
    assert cli("wait", submitted.text.strip()).code == 0
    second = cli.start("--serve")
    assert second.stderr is not None
    said = second.stderr.readline() + second.stderr.readline()
    assert b"standing by" in said
    assert finish(serving, signal.SIGTERM).code == 0
    assert cli("run", "--", "true").code == 0
    assert finish(second, signal.SIGINT).code == 0


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
