"""Keys and the audit log on the command line."""

from __future__ import annotations

from pathlib import Path

import pytest
from cli_harness import Cli


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
