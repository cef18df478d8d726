"""``evalbox --serve``, from its start to its end. On the fake engine, but where said."""

from __future__ import annotations

import json
import os
import signal
import socket
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from cli_harness import Cli, finish
from service_harness import Service, serving


@pytest.fixture
def cli(tmp_path: Path) -> Cli:
    return Cli(tmp_path, engine="fake")


def readiness(url: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(f"{url}/readyz", timeout=10) as answer:
            return answer.status, json.load(answer)["status"]
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.load(error)["status"]


def test_it_says_that_it_is_ready_when_it_answers(cli: Cli) -> None:
    with serving(cli) as service:
        assert readiness(service.url) == (200, "ok")
        line = next(line for line in service.said.splitlines() if "serves on" in line)
        assert f"process {service.process.pid}" in line
        assert str(cli.data / "evalbox.sock") in line
        assert "evalbox keys create" in service.said
        assert (cli.data / "evalbox.sock").stat().st_mode & 0o777 == 0o600
        ended = service.stop(signal.SIGTERM)
    assert ended.code == 0
    assert not (cli.data / "evalbox.sock").exists()


def test_what_runs_is_let_end_and_the_api_says_so(cli: Cli) -> None:
    with serving(cli, "--drain", "30s") as service:
        running = cli("submit", "--", "sleep", "8", ";", "echo", "done").text.strip()
        cli.until(lambda found: found[0]["state"] == "running")
        service.process.send_signal(signal.SIGTERM)
        service.until_it_says("stopping: 1 that run")
        late = cli("submit", "--", "true").text.strip()
        assert readiness(service.url) == (503, "draining")
        assert "about to end" in cli("queue").text
        assert "about to end" in cli("explain", late).text
        assert service.stop().code == 0
    states = {item["id"]: item["state"] for item in cli.evaluations()}
    assert states == {running: "completed", late: "queued"}
    assert cli("logs", running).out == b"done\n"


@pytest.mark.parametrize("options", [("--drain", "0"), ("--drain", "1h")])
def test_it_ends_at_once_when_it_is_told_to(cli: Cli, options: tuple[str, ...]) -> None:
    with serving(cli, *options) as service:
        cli("submit", "--", "sleep", "inf")
        cli.until(lambda found: found[0]["state"] == "running")
        service.process.send_signal(signal.SIGINT)
        if options[1] != "0":
            service.until_it_says("stopping")
            service.process.send_signal(signal.SIGINT)
        ended = service.stop()
    assert ended.code == 0
    assert "1 go on without this process" in ended.said
    assert cli.evaluations()[0]["state"] == "running"


def test_a_second_one_stands_by_and_takes_over(cli: Cli) -> None:
    with serving(cli) as first:
        second = Service(cli)
        second.until_it_says("standing by")
        assert f"process {first.process.pid}" in second.said
        assert cli("queue", "--json").json["working"]
        first.process.kill()
        first.stop()
        assert readiness(second.url) == (200, "ok")
        assert cli("run", "--", "echo", "hi").out == b"hi\n"
        assert second.stop(signal.SIGTERM).code == 0


def test_one_that_stands_by_ends_when_it_is_told_to(cli: Cli) -> None:
    with serving(cli):
        second = Service(cli)
        second.until_it_says("standing by")
        assert second.stop(signal.SIGTERM).code == 0


def test_one_that_cannot_listen_when_its_turn_comes_says_so(cli: Cli) -> None:
    with serving(cli) as first, socket.create_server(("127.0.0.1", 0)) as taken:
        second = Service(cli, "--port", str(taken.getsockname()[1]))
        second.until_it_says("standing by")
        first.process.kill()
        ended = second.stop()
    assert ended.code == 78
    assert "address already in use" in ended.said


def test_nothing_is_begun_where_it_cannot_listen(cli: Cli) -> None:
    cli("submit", "--", "true")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        ended = cli("--serve", "--port", str(taken.getsockname()[1]))
    assert ended.code == 78
    assert "cannot listen on 127.0.0.1" in ended.said
    assert "--port" in ended.said
    assert cli.evaluations()[0]["state"] == "queued"
    assert not (cli.data / "evalbox.sock").exists()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--host", "0.0.0.0"), "without TLS"),
        (("--host", "::", "--insecure"), "no key"),
        (("--host", "no.such.invalid"), "no address"),
        (("--host", "192.0.2.1", "--insecure"), "no key"),
        (("--port", "x"), "port"),
        (("--port", "70000"), "70000"),
        (("--drain", "soon"), "soon"),
        (("--tls-cert", "x"), "go together"),
        (("--tls-cert", "x", "--tls-key", "y"), "no such file"),
        (("--tls-cert", "/dev/null", "--tls-key", "/dev/null"), "no pair in PEM"),
    ],
)
def test_what_cannot_be_served_is_refused(cli: Cli, options: tuple[str, ...], said: str) -> None:
    ended = cli("--serve", *options)
    assert ended.code == 78, ended
    assert said in ended.said


def test_beyond_this_machine_with_a_key(cli: Cli) -> None:
    cli("keys", "create", "somebody")
    with serving(cli, "--host", "0.0.0.0", "--insecure") as service:
        assert "there is no key" not in service.said
        port = service.url.rpartition(":")[2]
        assert readiness(f"http://127.0.0.1:{port}") == (200, "ok")


def test_options_of_a_service_go_with_one(cli: Cli) -> None:
    ended = cli("--port", "1", "ls")
    assert (ended.code, "--serve" in ended.said) == (2, True)
    ended = cli("--url", "http://127.0.0.1:1", "--serve")
    assert (ended.code, "elsewhere" in ended.said) == (65, True)


@pytest.mark.parametrize("abstract", [False, True])
def test_systemd_is_told_how_it_stands(cli: Cli, tmp_path: Path, abstract: bool) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        name = f"evalbox-test-{os.getpid()}" if abstract else str(tmp_path / "notify")
        manager.bind(f"\0{name}" if abstract else name)
        manager.settimeout(20)
        cli.env["NOTIFY_SOCKET"] = f"@{name}" if abstract else name
        cli.env["WATCHDOG_USEC"] = "200000"
        service = Service(cli)
        told = manager.recv(4096).decode().splitlines()
        assert told[:2] == ["READY=1", f"MAINPID={service.process.pid}"]
        assert told[2].startswith("STATUS=evalbox")
        assert [manager.recv(4096) for _ in range(3)] == [b"WATCHDOG=1"] * 3
        service.process.send_signal(signal.SIGTERM)
        while (last := manager.recv(4096)) == b"WATCHDOG=1":
            pass
        assert last.startswith(b"STOPPING=1\nEXTEND_TIMEOUT_USEC=60000000\n")
        assert service.stop().code == 0


def test_a_terminal_that_is_closed_lets_what_runs_end(cli: Cli) -> None:
    with serving(cli) as service:
        cli("submit", "--", "sleep", "1")
        cli.until(lambda found: found[0]["state"] == "running")
        assert service.stop(signal.SIGHUP).code == 0
    assert cli.evaluations()[0]["state"] == "completed"


def test_a_run_without_a_service_says_so(cli: Cli) -> None:
    assert "no service runs here" in cli("run", "--", "true").said
    assert cli("-q", "run", "--", "true").err == b""
    with serving(cli):
        assert "no service" not in cli("run", "--", "true").said


def test_a_command_that_runs_the_queue_for_long_is_attached_to(cli: Cli) -> None:
    running = cli.start("run", "--", "sleep", "inf")
    cli.until(lambda found: bool(found) and (cli.data / "evalbox.sock").exists())
    assert "no service" not in cli("run", "--", "true").said
    assert finish(running, signal.SIGINT).code == 130
