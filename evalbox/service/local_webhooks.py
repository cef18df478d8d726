"""The webhooks of a data directory of this machine."""

from __future__ import annotations

import secrets
from collections.abc import Collection, Sequence
from dataclasses import replace

from evalbox.domain.alert import Alert
from evalbox.domain.clock import Clock
from evalbox.domain.ids import ALPHABET
from evalbox.domain.text import plain_text
from evalbox.domain.webhook import (
    Delivery,
    DeliveryState,
    Format,
    Interest,
    Webhook,
    check_secret,
    check_url,
)
from evalbox.errors import InvalidInput
from evalbox.service.audit import audited
from evalbox.service.messages import test_message
from evalbox.store.store import Store

_ID_LENGTH = 10
_PREFIX = "evw_"


class LocalWebhooks:
    """Implements ``Webhooks``. ``private``: as the setting ``webhook_private``."""

    def __init__(self, store: Store, clock: Clock, *, private: bool) -> None:
        self._store = store
        self._clock = clock
        self._private = private

    async def create(
        self,
        url: str,
        *,
        format: Format = Format.EVALBOX,  # noqa: A002
        interest: Interest | None = None,
        secret: str = "",
    ) -> tuple[Webhook, str]:
        if not secret and format is Format.EVALBOX:
            secret = _PREFIX + secrets.token_urlsafe(32)
        webhook_id = "".join(secrets.choice(ALPHABET) for _ in range(_ID_LENGTH))
        told = {"host": _host(url), "format": format}
        async with audited(self._store, "webhook.create", webhook_id, told):
            check_url(url, private=self._private)
            check_secret(secret, format)
            webhook = Webhook(
                webhook_id, url, format, _checked(interest or Interest()), self._clock.now()
            )
            await self._store.add_webhook(webhook, secret)
        return webhook, secret

    async def list(self) -> Sequence[Webhook]:
        return await self._store.webhooks()

    async def get(self, webhook_id: str) -> Webhook:
        return await self._store.webhook(webhook_id)

    async def change(
        self,
        webhook_id: str,
        *,
        url: str | None = None,
        interest: Interest | None = None,
        active: bool | None = None,
    ) -> Webhook:
        def change(old: Webhook) -> Webhook:
            new = old
            if url is not None:
                new = replace(new, url=url)
            if interest is not None:
                new = replace(new, interest=interest)
            if active is not None:
                new = replace(new, active=active, reason="")
            return new

        told: dict[str, object] = {} if url is None else {"host": _host(url)}
        told |= {} if active is None else {"active": active}
        async with audited(self._store, "webhook.change", webhook_id, told):
            if url is not None:
                check_url(url, private=self._private)
            if interest is not None:
                _checked(interest)
            return await self._store.change_webhook(webhook_id, change, self._clock.now())

    async def remove(self, webhook_id: str) -> None:
        async with audited(self._store, "webhook.remove", webhook_id):
            await self._store.remove_webhook(webhook_id, self._clock.now())

    async def test(self, webhook_id: str) -> Delivery:
        async with audited(self._store, "webhook.test", webhook_id):
            now = self._clock.now()
            webhook = await self._active(webhook_id)
            return await self._store.add_delivery(
                test_message(webhook, self._store.box_id, now), now
            )

    async def deliveries(
        self,
        webhook_id: str,
        *,
        states: Collection[DeliveryState] = (),
        limit: int = 100,
        after: str | None = None,
    ) -> Sequence[Delivery]:
        return await self._store.deliveries(webhook_id, states=states, limit=limit, after=after)

    async def redeliver(self, webhook_id: str, delivery_id: str) -> Delivery:
        async with audited(self._store, "webhook.redeliver", webhook_id, {"delivery": delivery_id}):
            await self._active(webhook_id)
            return await self._store.redeliver(webhook_id, delivery_id, self._clock.now())

    async def alerts(self) -> Sequence[Alert]:
        return await self._store.alerts()

    async def _active(self, webhook_id: str) -> Webhook:
        webhook = await self._store.webhook(webhook_id)
        if not webhook.active:
            raise InvalidInput(
                f"webhook {webhook_id} is turned off",
                hint=f"turn it on with: evalbox webhooks change {webhook_id} --enable",
                field="webhook",
            )
        return webhook


def _host(url: str) -> str:
    """What the log may tell: in paths, some receivers have what is secret."""
    return url.partition("://")[2].partition("/")[0].rpartition("@")[2][:200]


def _checked(interest: Interest) -> Interest:
    """Raises ``InvalidInput``."""
    if interest.batch is not None:
        plain_text(interest.batch, field="batch")
    for key, value in interest.labels.items():
        plain_text(key, field="label")
        if value:
            plain_text(value, field="label")
    return interest
