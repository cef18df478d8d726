"""Every command does the same on a data directory, attached to a service, and by a URL."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from cli_harness import Cli, finish
from service_harness import elsewhere, serving


@dataclass(frozen=True)
class Place:
    """``cli`` is where commands are given; ``home`` is of the machine of the box."""

    kind: str
    cli: Cli
    home: Cli


@pytest.fixture(params=["directory", "attached", "url"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    kind: str = request.param
    home = Cli(tmp_path, engine="fake")
    if kind == "directory":
        yield Place(kind, home, home)
        return
    with serving(home) as service:
        far = elsewhere(home, service, tmp_path / "far") if kind == "url" else home
        yield Place(kind, far, home)
        assert service.stop(signal.SIGTERM).code == 0
        assert "Traceback" not in service.said


def test_run_and_look(place: Place) -> None:
    cli = place.cli
    (cli.work / "given").write_bytes(b"\0given")
    ended = cli(
        "run", "--file", "given:in", "--artifact", "in", "--label", "k=v", "--batch", "b",
        "--env", "A=secret", "--",
        "cat", "in", ";", "env", "A", ";", "error", "bad", ";", "exit", "3",
    )  # fmt: skip
    assert (ended.code, ended.out) == (3, b"\0givensecret\n"), ended.said
    assert "bad" in ended.said
    (found,) = cli.evaluations()
    identifier, short = found["id"], found["short_id"]
    assert (found["outcome"], found["env"], found["engine"]) == ("failed", ["A"], "fake")
    assert cli("show", short, "--json").json["attempts"][0]["exit_code"] == 3
    assert "failed" in cli("show", short).text
    assert cli("explain", short).text.startswith("failed")
    assert cli("logs", "--stream", "stderr", identifier).err == b"bad\n"
    assert cli("logs", "-f", identifier).out == b"\0givensecret\n"
    assert [item["path"] for item in cli("artifacts", short, "--json").json] == ["in"]
    assert cli("artifacts", short, "--get", "in", "-o", "-").out == b"\0given"
    kinds = [json.loads(line)["kind"] for line in cli("events", short, "--json").out.splitlines()]
    assert (kinds[0], kinds[-1]) == ("evaluation.queued", "evaluation.failed")
    assert cli("ls", "--label", "k=v", "--outcome", "failed").text.count(short) == 1
    assert cli("batch", "show", "b", "--json").json["name"] == "b"
    for command in ("show", "logs", "explain", "wait", "cancel", "artifacts"):
        assert cli(command, "zzzzzzzz").code == 66, command


def test_queue_and_control(place: Place) -> None:
    cli = place.cli
    assert cli("queue", "pause", "--json").json["paused"] is True
    first = cli("submit", "--batch", "b", "--", "echo", "one").text.strip()
    second = cli("submit", "--batch", "b", "--", "true").text.strip()
    assert "paused" in cli("explain", first).text or place.kind == "directory"
    assert cli("cancel", second, "--json").json[0]["state"] == "cancelled"
    assert cli("cancel", second).code == 65
    assert cli("batch", "limit", "b", "1", "--json").json["concurrency"] == 1
    assert cli("queue", "limit", "3", "--json").json["slots"] == 3
    assert cli("queue", "limit", "5000").code == 65
    cli("queue", "resume")
    assert cli("wait", first).code == 0
    assert cli("retry", first, "--json").json[0]["id"] == first
    assert cli("batch", "wait", "b").code == 130
    assert cli("logs", first).out == b"one\n"
    assert cli("rm", "--yes", first, second).code == 0
    assert cli.evaluations() == []


def test_export_and_compare(place: Place) -> None:
    cli = place.cli
    cli("run", "--batch", "a", "--name", "t", "--", "true")
    cli("run", "--batch", "b", "--name", "t", "--", "error", "oops", ";", "exit", "3")
    assert cli("export").json == cli.evaluations()
    assert cli("export", "-o", "out.xml").code == 0
    assert b"oops" in (cli.work / "out.xml").read_bytes()
    assert len(cli("export", "--format", "csv", "--batch", "b").text.splitlines()) == 2
    assert cli("export", "--format", "inspect", "-o", "logs").code == 0
    assert len(list((cli.work / "logs").glob("*.eval"))) == 2
    assert cli("compare", "a", "b", "--check", "--json").code == 1
    ids = [item["short_id"] for item in cli.evaluations()]
    assert "exit status" in cli("compare", *ids).text


def test_bad_input_has_one_status_everywhere(place: Place) -> None:
    cli = place.cli
    for arguments, code in [
        (("run", "--memory", "0", "--", "true"), 65),
        (("run", "--timeout", "-1", "--", "true"), 65),
        (("submit", "--label", "x", "--", "true"), 65),
        (("batch", "show", "none"), 66),
        (("images", "rm", "no/such:image"), 66),
        (("artifacts", "zz", "--get", "../../etc/passwd"), 66),
        (("keys", "revoke", "nobody"), 66),
    ]:
        ended = cli(*arguments)
        assert ended.code == code, (arguments, ended)
        assert ended.out == b""


def test_keys_audit_backup_and_completion(place: Place) -> None:
    cli = place.cli
    assert cli("-q", "keys", "create", "one", "--scope", "read").text.startswith("evb_")
    assert cli("keys", "create", "one").code == 65
    assert "one" in [key["name"] for key in cli("keys", "--json").json]
    assert cli("keys", "revoke", "one").code == 0
    actions = [entry["action"] for entry in cli("audit", "--json").json]
    assert actions[-1] == "key.revoke"
    assert cli("audit", "verify").code == 0
    assert cli("backup", "copy").code == 0
    assert (cli.work / "copy").stat().st_mode & 0o777 == 0o600
    assert cli("backup", "copy").code == 65
    cli("submit", "--in", "1h", "--", "true")
    (found,) = cli.evaluations()
    offered = cli(env={
        "_EVALBOX_COMPLETE": "bash_complete", "COMP_WORDS": "evalbox show ", "COMP_CWORD": "2",
    })  # fmt: skip
    assert found["short_id"] in offered.text


def test_an_interrupt_cancels(place: Place) -> None:
    cli = place.cli
    running = cli.start("run", "--", "echo", "begun", ";", "sleep", "inf")
    assert running.stdout is not None
    assert running.stdout.readline() == b"begun\n"
    assert finish(running, signal.SIGINT).code == 130
    assert cli.evaluations()[0]["state"] == "cancelled"


def test_images_and_checks(place: Place) -> None:
    cli = place.cli
    found = cli("images", "--json")
    if found.code == 69:
        pytest.skip("there is no Docker")
    assert found.code == 0, found
    (cli.work / "no.tar").write_bytes(b"nothing")
    ended = cli("images", "load", "no.tar")
    assert (ended.code, "holds no image" in ended.said) == (65, True), ended
    assert cli("images", "load", "missing.tar").code == 66
    ended = cli("images", "pull", "127.0.0.1:1/no-such:image")
    assert ended.code == 69, ended
    checks = cli("doctor", "--engine", "fake", "--json")
    assert {"python", "sqlite", "disk"} <= {item["name"] for item in checks.json}


def test_some_commands_are_of_this_machine(place: Place) -> None:
    if place.kind != "url":
        return
    for command in (("restore", "x"), ("bench", "--quick"), ("--serve",)):
        ended = place.cli(*command)
        assert (ended.code, "is for this machine" in ended.said) == (65, True), command
    assert place.cli("config", "--json").json["key"]["value"] == "[hidden]"


@pytest.mark.parametrize(
    ("url", "code", "said"),
    [
        ("box:8420", 78, "http://box:8420"),
        ("ftp://box", 78, "http://box:8420"),
        ("http://", 78, "http://box:8420"),
        ("http://box:99999", 78, "http://box:8420"),
        ("http://me:pass@box", 78, "EVALBOX_KEY"),
        ("http://127.0.0.1:1", 69, "no box answers"),
        ("http://no.such.invalid", 69, "no box answers"),
    ],
)
def test_a_url_that_is_none_or_answers_nothing(
    tmp_path: Path, url: str, code: int, said: str
) -> None:
    ended = Cli(tmp_path)("--url", url, "ls")
    assert ended.code == code, ended
    assert said in ended.said


def test_keys_that_do_not_do(tmp_path: Path) -> None:
    home = Cli(tmp_path, engine="fake")
    with serving(home) as service:
        far = elsewhere(home, service, tmp_path / "far")
        reader = home("-q", "keys", "create", "reader", "--scope", "read").text.strip()
        for key, command, code in [
            ("", ("ls",), 77),
            ("nonsense", ("ls",), 77),
            (reader, ("ls",), 0),
            (reader, ("submit", "--", "true"), 77),
            (reader, ("queue", "pause"), 77),
        ]:
            assert far(*command, env={"EVALBOX_KEY": key}).code == code, (key, command)
        signing = home("-q", "keys", "create", "signer", "--scope", "admin", "--signing")
        (far.work / "file").write_bytes(b"x" * 100_000)
        ended = far(
            "run", "--file", "file", "--", "cat", "file",
            env={"EVALBOX_KEY": signing.text.strip()},
        )  # fmt: skip
        assert (ended.code, len(ended.out)) == (0, 100_000), ended.said


def test_a_box_that_goes_away_and_comes_back(tmp_path: Path) -> None:
    """On the same port, as after a restart of the service."""
    home = Cli(tmp_path, engine="fake")
    with serving(home) as service:
        far = elsewhere(home, service, tmp_path / "far")
        port = service.url.rpartition(":")[2]
        following = far.start("events", "--follow", "--json")
        assert following.stdout is not None
        far("submit", "--in", "1h", "--", "true")
        assert json.loads(following.stdout.readline())["kind"]
        service.stop(signal.SIGTERM)
    home("submit", "--in", "1h", "--", "true")
    with serving(home, "--port", port):
        far("submit", "--in", "1h", "--", "true")
        wanted = len(far("events", "--json").out.splitlines())
        seen = [1, *(json.loads(following.stdout.readline())["seq"] for _ in range(wanted - 1))]
        assert seen == list(range(1, wanted + 1))
    ended = finish(following, signal.SIGINT)
    assert "trying for 30 s" in ended.said


def test_a_service_that_is_killed_is_gone_on_without(tmp_path: Path) -> None:
    cli = Cli(tmp_path, engine="fake")
    with serving(cli) as service:
        ran = cli("submit", "--in", "3s", "--", "echo", "hi").text.strip()
        waiting = [cli.start("wait", ran), cli.start("logs", "--follow", ran)]
        for command in waiting:
            assert command.stderr is not None
        service.process.kill()
        ended = [finish(command) for command in waiting]
    assert [one.code for one in ended] == [0, 0], ended
    assert ended[1].out == b"hi\n"
    assert sum("this command runs the queue" in one.said for one in ended) <= 1


def test_tls_with_an_authority_of_ones_own(tmp_path: Path, certificate: tuple[Path, Path]) -> None:
    home = Cli(tmp_path, engine="fake")
    chain, key = certificate
    with serving(home, "--tls-cert", str(chain), "--tls-key", str(key)) as service:
        assert service.url.startswith("https://")
        far = elsewhere(home, service, tmp_path / "far")
        ended = far("ls")
        assert (ended.code, "tls_ca" in ended.said) == (69, True), ended
        far.env["EVALBOX_TLS_CA"] = str(chain)
        assert far("run", "--", "echo", "hi").out == b"hi\n"
        ended = far("ls", env={"EVALBOX_TLS_CA": "/dev/null"})
        assert (ended.code, "tls_ca" in ended.said) == (78, True), ended


@pytest.fixture
def certificate(tmp_path: Path) -> tuple[Path, Path]:
    """A certificate for 127.0.0.1 that is its own authority, and its key."""
    from datetime import UTC, datetime, timedelta
    from ipaddress import ip_address

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "evalbox tests")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    chain, secret = tmp_path / "chain.pem", tmp_path / "key.pem"
    chain.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    secret.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return chain, secret
