"""Keys and the audit log on the command line."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest
from cli_harness import Cli

from evalbox.domain.clock import ManualClock
from evalbox.store.journal import Draft
from evalbox.store.store import Store


@pytest.fixture
def cli(tmp_path: Path) -> Cli:
    made = Cli(tmp_path, engine="fake")
    # A busy host is to hold nothing up here.
    made.env["EVALBOX_LOAD_PER_CORE"] = "1000"
    return made


def test_keys(cli: Cli) -> None:
    assert cli("keys").out == b""
    made = cli("keys", "create", "ci", "--expires", "90d", "--scope", "read", "--scope", "admin")
    token = made.text.strip()
    assert token.startswith("evb_")
    assert token not in made.said
    listed = cli("keys", "list").text
    assert "ci" in listed
    assert "read,admin" in listed
    assert "in 90d" in listed
    (key,) = cli("keys", "ls", "--json").json
    assert key["scopes"] == ["read", "admin"]
    assert token not in cli("keys", "ls", "--json").text
    document = cli("keys", "create", "other", "--signing", "--json").json
    assert document["token"].startswith("evbs_")
    assert document["scopes"] == ["submit"]
    assert cli("keys", "revoke", "ci").code == 0
    assert cli("keys", "revoke", document["id"], "--json").json["revoked_at"]
    assert "revoked" in cli("keys").text
    assert cli("keys", "revoke", "nobody").code == 66


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("create",), 2),
        (("create", "x", "--scope", "root"), 2),
        (("create", "x", "--expires", "soon"), 65),
        (("create", "x", "--expires", "2001-01-01"), 65),
        (("create", " "), 65),
        (("revoke",), 2),
    ],
)
def test_bad_input(cli: Cli, arguments: tuple[str, ...], code: int) -> None:
    assert cli("keys", *arguments).code == code


def test_audit(cli: Cli) -> None:
    assert cli("audit", "verify").text.strip() == "0" * 64
    cli("run", "--", "true")
    cli("queue", "pause")
    assert cli("queue", "limit", "0").code == 65
    listed = cli("audit").text
    assert "evaluation.submit" in listed
    assert "queue.pause" in listed
    entries = cli("audit", "ls", "--json", "--after", "1").json
    assert [one["seq"] for one in entries][:1] == [2]
    head = cli("audit", "verify").text.strip()
    assert head == entries[-1]["hash"]
    assert cli("audit", "verify", "--expect", head, "--json").json["sound"] is True
    other = cli("audit", "verify", "--expect", "f" * 64)
    assert other.code == 1
    assert "not in the log" in other.text
    assert cli("audit", "verify", "--expect", "short").code == 65
    assert cli("audit", "ls", "--limit", "0").code == 65


def test_no_command_tells_a_secret(cli: Cli) -> None:
    marker = "marker-of-a-secret"
    cli.env["TOKEN"] = marker
    said = [
        cli("run", "--env", "TOKEN", "--log-level", "debug", "--", "exit", "3"),
        cli("run", "--env", "TOKEN", "--json", "--log-level", "debug", "--", "exit", "3"),
        cli("ls", "--json"),
        cli("events", "--json"),
        cli("audit", "--json"),
    ]
    for one in cli.evaluations():
        said += [cli("show", one["id"]), cli("show", one["id"], "--json")]
        assert one["env"] == ["TOKEN"]
    assert not [ended for ended in said if marker.encode() in ended.out + ended.err]
    stored = [path for path in cli.data.rglob("*") if path.is_file()]
    assert not [path for path in stored if marker.encode() in path.read_bytes()]


def test_a_restored_box_says_so(cli: Cli) -> None:
    cli("queue", "pause")
    head = cli("audit", "verify").text.strip()
    assert cli("backup", "box.tar").code == 0
    assert cli("restore", "--force", "box.tar").code == 0
    assert [one["action"] for one in cli("audit", "--json").json] == ["queue.pause", "box.restore"]
    assert cli("audit", "verify", "--expect", head).code == 0


def test_pruning_the_audit_log(cli: Cli, tmp_path: Path) -> None:
    asyncio.run(_entries_of_long_ago(cli.data, 3))
    assert cli("queue", "pause").code == 0
    head = cli("audit", "verify").text.strip()
    kept = tmp_path / "kept.jsonl"
    pruned = cli("audit", "prune", "--before", "90d", "--export", str(kept), "--json").json
    entries = [json.loads(line) for line in kept.read_text().splitlines()]
    assert [entry["target"] for entry in entries] == ["0", "1", "2"]
    assert pruned == {"removed": 3, "through": 3, "head": entries[-1]["hash"]}
    assert [entry["action"] for entry in cli("audit", "--json").json] == [
        "queue.pause", "audit.prune",
    ]  # fmt: skip
    assert cli("audit", "verify", "--expect", head, "--json").json["pruned"] == 3
    assert "3 pruned" in cli("audit", "verify").said
    assert cli("audit", "prune", "--before", "90d").text.strip() == "0"


@pytest.mark.parametrize(
    ("arguments", "code"), [((), 2), (("--before", "1h"), 65), (("--before", "soon"), 65)]
)
def test_what_is_not_pruned(cli: Cli, arguments: tuple[str, ...], code: int) -> None:
    assert cli("queue", "pause").code == 0
    assert cli("audit", "prune", *arguments).code == code
    assert cli("audit", "ls", "--json").json[0]["seq"] == 1


def test_no_file_is_overwritten_by_what_is_pruned(cli: Cli, tmp_path: Path) -> None:
    asyncio.run(_entries_of_long_ago(cli.data, 2))
    kept = tmp_path / "kept.jsonl"
    kept.write_text("mine")
    refused = cli("audit", "prune", "--before", "90d", "--export", str(kept))
    assert (refused.code, kept.read_text()) == (65, "mine")
    assert len(cli("audit", "--json").json) == 2


async def _entries_of_long_ago(directory: Path, count: int) -> None:
    clock = ManualClock()
    async with await Store.open(directory, clock=clock) as store:
        for number in range(count):
            await store.append_audit(Draft(clock.now(), "a", "local", "x.y", str(number)), "ok")
