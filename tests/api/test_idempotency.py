"""A request that is sent again, because nobody knows whether it came, does nothing again."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from api_support import Served, code, served

BODY: dict[str, Any] = {"command": ["echo", "hello"], "image": "any", "engine": "fake"}
SCRIPT: dict[str, Any] = {
    "script": {"source": "print(1)", "language": "py"},
    "image": "any",
    "engine": "fake",
}


@pytest.fixture
async def box(tmp_path: Path) -> AsyncIterator[Served]:
    async with served(tmp_path / "box") as made:
        yield made


@pytest.fixture
async def client(box: Served) -> AsyncIterator[httpx.AsyncClient]:
    async with box.client(await box.key()) as made:
        yield made


def key(value: str) -> dict[str, str]:
    return {"Idempotency-Key": value}


async def count(client: httpx.AsyncClient) -> int:
    return len((await client.get("/evaluations", params={"limit": 1000})).json()["items"])


@pytest.mark.parametrize("body", [BODY, SCRIPT, BODY | {"env": {"TOKEN": "secret"}}])
async def test_the_same_again_gives_the_first(
    client: httpx.AsyncClient, body: dict[str, Any]
) -> None:
    first = await client.post("/evaluations", json=body, headers=key("k"))
    again = await client.post("/evaluations", json=body, headers=key("k"))
    within = await client.post("/evaluations", json=body | {"idempotency_key": "k"})
    assert first.status_code == again.status_code == within.status_code == 201
    assert first.json()["id"] == again.json()["id"] == within.json()["id"]
    assert first.headers["location"] == again.headers["location"]
    assert await count(client) == 1


@pytest.mark.parametrize(
    "change",
    [
        {"command": ["echo", "other"]},
        {"name": "other"},
        {"priority": "high"},
        {"env": {"A": "b"}},
        {"limits": {"timeout": 5}},
        {"stdin": {"text": "x"}},
        {"labels": {"a": "b"}},
    ],
)
async def test_something_else_under_the_same_key_is_refused(
    client: httpx.AsyncClient, change: dict[str, Any]
) -> None:
    assert (await client.post("/evaluations", json=BODY, headers=key("k"))).is_success
    answer = await client.post("/evaluations", json=BODY | change, headers=key("k"))
    assert code(answer) == (409, "conflict")
    assert await count(client) == 1


async def test_secrets_that_differ_are_something_else(client: httpx.AsyncClient) -> None:
    body = BODY | {"env": {"TOKEN": "one"}}
    assert (await client.post("/evaluations", json=body, headers=key("k"))).is_success
    answer = await client.post(
        "/evaluations", json=BODY | {"env": {"TOKEN": "two"}}, headers=key("k")
    )
    assert code(answer) == (409, "conflict")
    assert "two" not in answer.text


async def test_many_at_once_make_one(client: httpx.AsyncClient) -> None:
    answers = await asyncio.gather(
        *(client.post("/evaluations", json=BODY, headers=key("k")) for _ in range(30))
    )
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.json()["id"] for answer in answers}) == 1
    assert await count(client) == 1


async def test_a_batch_again_gives_the_first(client: httpx.AsyncClient) -> None:
    body = {"evaluations": [BODY | {"name": f"number {number}"} for number in range(20)]}
    answers = await asyncio.gather(
        *(client.post("/evaluations/batch", json=body, headers=key("k")) for _ in range(5))
    )
    found = [[one["id"] for one in answer.json()["items"]] for answer in answers]
    assert all(ids == found[0] for ids in found)
    assert len(set(found[0])) == 20
    assert await count(client) == 20


async def test_a_batch_that_differs_in_one_is_refused_whole(client: httpx.AsyncClient) -> None:
    body = {"evaluations": [BODY, BODY]}
    assert (await client.post("/evaluations/batch", json=body, headers=key("k"))).is_success
    longer = {"evaluations": [BODY, BODY | {"name": "other"}, BODY]}
    answer = await client.post("/evaluations/batch", json=longer, headers=key("k"))
    assert code(answer) == (409, "conflict")
    assert await count(client) == 2


async def test_two_keys_for_one_request_are_refused(client: httpx.AsyncClient) -> None:
    body = BODY | {"idempotency_key": "one"}
    answer = await client.post("/evaluations", json=body, headers=key("other"))
    assert code(answer) == (422, "invalid_input")
    assert answer.json()["field"] == "idempotency_key"
    assert await count(client) == 0


@pytest.mark.parametrize("value", ["", "x" * 201, "a\tb", "é"])
async def test_keys_are_plain_text(client: httpx.AsyncClient, value: str) -> None:
    headers = [(b"Idempotency-Key", value.encode())]
    answer = await client.post("/evaluations", json=BODY, headers=headers)
    assert answer.status_code in (201, 422)
    if answer.status_code == 422:
        assert code(answer) == (422, "invalid_input")


async def test_a_key_outlives_its_evaluation_until_that_is_removed(
    tmp_path: Path, box: Served, client: httpx.AsyncClient
) -> None:
    made = (await client.post("/evaluations", json=BODY, headers=key("k"))).json()["id"]
    assert (await client.post(f"/evaluations/{made}/cancel")).is_success
    again = await client.post("/evaluations", json=BODY, headers=key("k"))
    assert again.json()["id"] == made
    assert again.json()["state"] == "cancelled"
    assert (await client.delete(f"/evaluations/{made}")).status_code == 204
    anew = await client.post("/evaluations", json=BODY, headers=key("k"))
    assert anew.json()["id"] != made
