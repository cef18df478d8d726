"""``evalbox webhooks`` as a user has it, with a receiver that listens."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from cli_harness import PATIENCE, Cli, finish

from evalbox.domain.webhook import is_signed

ON = {"EVALBOX_WEBHOOK_PRIVATE": "1"}


class Server(ThreadingHTTPServer):
    status = 200

    def __init__(self) -> None:
        self.got: list[tuple[dict[str, str], bytes]] = []
        super().__init__(("127.0.0.1", 0), Handler)


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.got.append((dict(self.headers.items()), body))
        self.send_response(self.server.status)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[Server]:
    made = Server()
    threading.Thread(target=made.serve_forever, daemon=True).start()
    yield made
    made.shutdown()
    made.server_close()


@pytest.fixture
def cli(tmp_path: Path) -> Cli:
    return Cli(tmp_path, engine="fake")


def test_a_webhook_from_its_making_to_its_end(cli: Cli, server: Server) -> None:
    url = f"http://127.0.0.1:{server.server_port}/"
    refused = cli("webhooks", "create", url)
    assert (refused.code, refused.out) == (65, b"")
    assert "webhook_private" in refused.said
    made = cli("webhooks", "create", url, "--on", "evaluation", "--outcome", "failed", env=ON)
    assert made.code == 0, made.said
    secret = made.text.strip()
    (listed,) = cli("webhooks", "ls", "--json").json
    webhook = listed["id"]
    assert (listed["topics"], listed["outcomes"]) == (["evaluation"], ["failed"])
    assert secret not in cli("webhooks").text
    # The command that runs it also tells of its end.
    assert cli("run", "--", "exit", "3", env=ON).code == 3
    assert cli("run", "--", "true", env=ON).code == 0
    ((headers, body),) = server.got
    moment = float(headers["EvalBox-Signature"].split("=")[1].split(",")[0])
    assert is_signed(secret, headers["EvalBox-Signature"], body, moment)
    (delivery,) = cli("webhooks", "deliveries", webhook, "--json").json
    assert (delivery["state"], delivery["status"]) == ("delivered", 200)
    assert "delivered" in cli("webhooks", "deliveries", webhook, "--state", "delivered").text
    assert "in line" in cli("webhooks", "redeliver", webhook, delivery["id"]).said
    assert "--serve" in cli("webhooks", "test", webhook).said
    changed = cli("webhooks", "change", webhook, "--disable", "--batch", "b", "--json").json
    assert (changed["active"], changed["batch"]) == (False, "b")
    assert changed["outcomes"] == ["failed"]
    assert cli("webhooks", "rm", webhook).code == 0
    assert cli("webhooks", "rm", webhook).code == 66
    assert "no webhooks" in cli("webhooks").said
    assert "no alert" in cli("webhooks", "alerts").said


def test_what_was_not_delivered_outlives_a_kill(cli: Cli, server: Server) -> None:
    cli.env.update(ON)
    url = f"http://127.0.0.1:{server.server_port}/"
    assert cli("webhooks", "create", url, "--on", "evaluation").code == 0
    server.status = 503
    first = cli.start("--serve")
    assert cli("run", "--", "true").code == 0
    until(lambda: len(server.got) == 1)
    os.killpg(first.pid, signal.SIGKILL)
    first.communicate()
    server.status = 200
    second = cli.start("--serve")
    until(lambda: len(server.got) >= 2)
    finish(second, signal.SIGTERM)
    webhook = cli("webhooks", "ls", "--json").json[0]["id"]
    (delivery,) = cli("webhooks", "deliveries", webhook, "--json").json
    assert delivery["state"] == "delivered"
    assert {headers["EvalBox-Delivery"] for headers, _ in server.got} == {delivery["id"]}


def until(holds: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.05)


def test_bad_input_has_a_remedy(cli: Cli) -> None:
    assert cli("webhooks", "create").code == 2
    assert cli("webhooks", "create", "ftp://x/").code == 65
    short = cli("webhooks", "create", "http://x.test/", "--secret-stdin", stdin=b"short\n")
    assert (short.code, b"short" in short.err) == (65, False)
    pager = cli("webhooks", "create", "--format", "pagerduty", "--secret-stdin", stdin=b"x" * 32)
    assert (pager.code, pager.out) == (0, b"")
    webhook = cli("webhooks", "ls", "--json").json[0]["id"]
    assert cli("webhooks", "change", webhook, "--enable", "--disable").code == 2
    assert cli("webhooks", "deliveries", "nothing").code == 66
    assert cli("webhooks", "deliveries", webhook, "-n", "0").code == 65
