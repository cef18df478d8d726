"""What a request leaves in the log: a line of JSON, found by its id, with nothing secret in it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from api_support import served
from recovery_support import ended

from evalbox.domain.access import Scope
from evalbox.telemetry import logs

MARK = "hunter2-hunter2"


@pytest.fixture
def log(tmp_path: Path) -> Iterator[Path]:
    file = tmp_path / "box.log"
    logs.configure(level="info", form="json", file=file)
    yield file
    logs.close()


def lines(log: Path) -> list[dict[str, Any]]:
    """Ends the logging first, so that everything is written."""
    logs.close()
    return [json.loads(line) for line in log.read_text().splitlines()]


async def test_each_request_has_a_line(tmp_path: Path, log: Path) -> None:
    async with served(tmp_path / "box") as service:
        key = await service.key(Scope.READ)
        async with service.client(key) as client:
            answer = await client.get("/queue", headers={"X-Request-ID": "mine-1"})
            other = await client.get("/evaluations/none")
            await client.get(f"{service.url}/healthz")
    found = [line for line in lines(log) if line["event"] == "request"]
    assert [line["request"] for line in found] == ["mine-1", other.headers["X-Request-ID"]]
    assert answer.headers["X-Request-ID"] == "mine-1"
    assert (found[0]["method"], found[0]["route"], found[0]["status"]) == (
        "GET",
        "/api/v1/queue",
        200,
    )
    assert found[0]["key_id"] == key.split("_")[1]
    assert found[0]["source"] == "127.0.0.1"
    assert 0 < found[0]["ms"] < 10_000
    assert found[1]["route"] == "/api/v1/evaluations/{id}"


async def test_what_is_wrong_is_found_by_the_request(tmp_path: Path, log: Path) -> None:
    async with served(tmp_path / "box") as service, service.client("evb_wrong") as client:
        answer = await client.get("/queue")
    caused = [line for line in lines(log) if line.get("request") == answer.headers["X-Request-ID"]]
    assert {line["event"] for line in caused} == {"refused", "request"}
    assert answer.json()["request_id"] == answer.headers["X-Request-ID"]


async def test_attempts_are_told_with_their_evaluation(tmp_path: Path, log: Path) -> None:
    async with served(tmp_path / "box", work=True) as service, service.owner() as client:
        body = {"name": "x", "command": ["true"], "image": "any", "engine": "fake"}
        made = await client.post("/evaluations", json=body)
        await ended(service.box, made.json()["id"])
    (line,) = [line for line in lines(log) if line["event"] == "ended"]
    assert (line["evaluation"], line["attempt"]) == (made.json()["id"], 1)
    assert "request" not in line


async def test_nothing_secret_is_logged(tmp_path: Path, log: Path) -> None:
    async with served(tmp_path / "box", work=True) as service:
        key = await service.key()
        async with service.client(key) as client:
            body = {"name": "x", "command": ["true"], "image": "any", "engine": "fake"}
            made = await client.post("/evaluations", json=body | {"env": {"PASSWORD": MARK}})
            await ended(service.box, made.json()["id"])
            await client.get(f"/evaluations?{MARK}={MARK}")
            await client.get(f"/evaluations/{MARK}")
            await client.get(f"/{MARK}")
            await client.post("/evaluations", json={MARK: MARK})
            await client.post("/evaluations", content=MARK.encode())
        async with service.client(key[:-1] + "!") as client:
            await client.get("/queue")
    assert len(lines(log)) > 6
    text = log.read_text()
    assert MARK not in text
    assert key[20:] not in text
