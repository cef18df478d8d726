"""Webhooks through the API, on a real port, as a program elsewhere makes them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
from api_support import Served, code, served
from recovery_support import spec
from webhook_support import eventually, receiver

from evalbox.domain.access import Scope
from evalbox.domain.outcome import Outcome
from evalbox.domain.webhook import DeliveryState, Format, Interest, Topic, is_signed
from evalbox.errors import Forbidden, InvalidInput, WebhookNotFound
from evalbox.service.remote.box import RemoteBox
from evalbox.service.remote.client import Client

ID, DELIVERY = "0" * 10, "0" * 22


@pytest.fixture
async def box(tmp_path: Path) -> AsyncIterator[Served]:
    async with served(tmp_path / "box", work=True, webhook_private=True) as made:
        yield made


async def test_a_box_elsewhere_has_the_same_webhooks(box: Served) -> None:
    async with AsyncExitStack() as stack:
        there = await stack.enter_async_context(receiver())
        remote = await stack.enter_async_context(RemoteBox(Client(box.url, key=await box.key())))
        interest = Interest(
            frozenset({Topic.EVALUATION}), frozenset({Outcome.OK}), "b", {"team": "x"}
        )
        webhook, secret = await remote.webhooks.create(there.url(), interest=interest)
        assert webhook == await remote.webhooks.get(webhook.id)
        assert list(await remote.webhooks.list()) == [webhook]
        assert webhook.interest == interest
        await remote.submit([spec("true", batch="b", labels={"team": "x"})])
        await eventually(lambda: there.kinds == ["evaluation.completed"])
        got = there.received[0]
        now = box.application.api.state.context.clock.now()
        assert is_signed(secret, got.headers["evalbox-signature"], got.body, now)

        async def delivered() -> bool:
            found = await remote.webhooks.deliveries(
                webhook.id, states=[DeliveryState.DELIVERED], limit=5
            )
            return [one.id for one in found] == [got.delivery]

        await eventually(delivered)
        await remote.webhooks.redeliver(webhook.id, got.delivery)
        await eventually(lambda: len(there.received) == 2)
        test = await remote.webhooks.test(webhook.id)
        await eventually(lambda: there.received[-1].delivery == test.id)
        (newest,) = await remote.webhooks.deliveries(webhook.id, limit=1)
        assert newest.id == test.id
        changed = await remote.webhooks.change(
            webhook.id, url=there.url("/new"), interest=Interest(), active=False
        )
        assert (changed.active, changed.url) == (False, there.url("/new"))
        assert changed.interest == Interest()
        with pytest.raises(InvalidInput, match="turned off"):
            await remote.webhooks.test(webhook.id)
        assert list(await remote.webhooks.alerts()) == []
        await remote.webhooks.remove(webhook.id)
        with pytest.raises(WebhookNotFound):
            await remote.webhooks.get(webhook.id)


async def test_only_admins_see_and_make_them(box: Served) -> None:
    key = await box.key(Scope.SUBMIT)
    async with RemoteBox(Client(box.url, key=key)) as remote:
        with pytest.raises(Forbidden):
            await remote.webhooks.list()
        with pytest.raises(Forbidden):
            await remote.webhooks.create("http://127.0.0.1/")
        assert list(await remote.webhooks.alerts()) == []


async def test_for_pagerduty_the_url_is_known(box: Served) -> None:
    async with box.owner() as client:
        body = {"format": "pagerduty", "secret": "x" * 32, "topics": ["alert"]}
        answer = await client.post("/webhooks", json=body)
        assert answer.status_code == 201
        assert answer.json()["url"] == "https://events.pagerduty.com/v2/enqueue"
        assert answer.json()["format"] == Format.PAGERDUTY
        listed = (await client.get("/webhooks")).json()
        assert "secret" not in listed[0]


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("POST", "/webhooks", {}, 422),
        ("POST", "/webhooks", {"url": "http://10.0.0.1/", "secret": "x"}, 422),
        ("POST", "/webhooks", {"url": "ftp://x/"}, 422),
        ("POST", "/webhooks", {"url": 1}, 422),
        ("POST", "/webhooks", {"url": "http://x/", "topics": []}, 422),
        ("POST", "/webhooks", {"url": "http://x/", "topics": ["all"]}, 422),
        ("POST", "/webhooks", {"url": "http://x/", "outcomes": ["fine"]}, 422),
        ("POST", "/webhooks", {"url": "http://x/", "labels": {"": "x"}}, 422),
        ("POST", "/webhooks", {"url": "http://x/", "batch": "\u0000"}, 422),
        ("POST", "/webhooks", {"url": "http://x/", "unknown": 1}, 422),
        ("POST", "/webhooks", {"format": "pagerduty"}, 422),
        ("PATCH", f"/webhooks/{ID}", {"active": "yes"}, 422),
        ("PATCH", f"/webhooks/{ID}", {"active": True}, 404),
        ("GET", f"/webhooks/{ID}", None, 404),
        ("GET", "/webhooks/..%2f..", None, 404),
        ("GET", "/webhooks/'--", None, 422),
        ("DELETE", f"/webhooks/{ID}", None, 404),
        ("POST", f"/webhooks/{ID}/test", None, 404),
        ("GET", f"/webhooks/{ID}/deliveries", None, 404),
        ("GET", f"/webhooks/{ID}/deliveries?state=lost", None, 422),
        ("GET", f"/webhooks/{ID}/deliveries?limit=0", None, 422),
        ("POST", f"/webhooks/{ID}/deliveries/{DELIVERY}/redeliver", None, 404),
    ],
)
async def test_bad_input(
    box: Served, method: str, path: str, body: dict[str, Any] | None, status: int
) -> None:
    async with box.owner() as client:
        answer = await client.request(method, path, json=body)
        assert code(answer)[0] == status, answer.text
