"""The webhooks and alerts of a box elsewhere."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any
from urllib.parse import quote

from evalbox.domain.alert import Alert
from evalbox.domain.webhook import Delivery, DeliveryState, Format, Interest, Webhook
from evalbox.service.remote.client import Client
from evalbox.wire import webhooks


class RemoteWebhooks:
    """Implements ``Webhooks`` over the API."""

    def __init__(self, client: Client) -> None:
        self._client = client

    async def create(
        self,
        url: str,
        *,
        format: Format = Format.EVALBOX,  # noqa: A002
        interest: Interest | None = None,
        secret: str = "",
    ) -> tuple[Webhook, str]:
        body = {
            "url": url,
            "format": format,
            "secret": secret or None,
            **webhooks.interest(interest or Interest()),
        }
        answer = await self._client.post("/webhooks", body)
        return webhooks.webhook_from(answer), str(answer["secret"])

    async def list(self) -> Sequence[Webhook]:
        return [webhooks.webhook_from(item) for item in await self._client.get("/webhooks")]

    async def get(self, webhook_id: str) -> Webhook:
        return webhooks.webhook_from(await self._client.get(_path(webhook_id)))

    async def change(
        self,
        webhook_id: str,
        *,
        url: str | None = None,
        interest: Interest | None = None,
        active: bool | None = None,
    ) -> Webhook:
        body: dict[str, Any] = {
            "url": url,
            "active": active,
            "interest": None if interest is None else webhooks.interest(interest),
        }
        answer = await self._client.send("PATCH", _path(webhook_id), body=body)
        return webhooks.webhook_from(answer)

    async def remove(self, webhook_id: str) -> None:
        await self._client.send("DELETE", _path(webhook_id))

    async def test(self, webhook_id: str) -> Delivery:
        return webhooks.delivery_from(await self._client.post(f"{_path(webhook_id)}/test"))

    async def deliveries(
        self,
        webhook_id: str,
        *,
        states: Collection[DeliveryState] = (),
        limit: int = 100,
        after: str | None = None,
    ) -> Sequence[Delivery]:
        query = [
            *(("state", str(state)) for state in sorted(states)),
            ("limit", str(limit)),
            ("cursor", after),
        ]
        answer = await self._client.get(f"{_path(webhook_id)}/deliveries", query)
        return [webhooks.delivery_from(item) for item in answer["items"]]

    async def redeliver(self, webhook_id: str, delivery_id: str) -> Delivery:
        path = f"{_path(webhook_id)}/deliveries/{quote(delivery_id, safe='')}/redeliver"
        return webhooks.delivery_from(await self._client.post(path))

    async def alerts(self) -> Sequence[Alert]:
        return [webhooks.alert_from(item) for item in await self._client.get("/alerts")]


def _path(webhook_id: str) -> str:
    return f"/webhooks/{quote(webhook_id, safe='')}"
