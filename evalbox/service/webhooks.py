"""Webhooks as front ends see them."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Protocol

from evalbox.domain.alert import Alert
from evalbox.domain.webhook import Delivery, DeliveryState, Format, Interest, Webhook


class Webhooks(Protocol):
    """Who is told what happens. Every method that names one raises ``WebhookNotFound``."""

    async def create(
        self,
        url: str,
        *,
        format: Format = Format.EVALBOX,  # noqa: A002
        interest: Interest | None = None,
        secret: str = "",
    ) -> tuple[Webhook, str]:
        """The webhook and its secret, which is made where none is given, and told this once.

        It is told what happens from now on; without ``interest``, everything. For PagerDuty the
        secret is the routing key. Raises ``InvalidInput``, ``Conflict``.
        """
        ...

    async def list(self) -> Sequence[Webhook]:
        """All of them, the newest first."""
        ...

    async def get(self, webhook_id: str) -> Webhook: ...

    async def change(
        self,
        webhook_id: str,
        *,
        url: str | None = None,
        interest: Interest | None = None,
        active: bool | None = None,
    ) -> Webhook:
        """What is None stays. One that is turned on again is told what happens from then on."""
        ...

    async def remove(self, webhook_id: str) -> None: ...

    async def test(self, webhook_id: str) -> Delivery:
        """Sends a sample at once. Raises ``InvalidInput`` where the webhook is turned off."""
        ...

    async def deliveries(
        self,
        webhook_id: str,
        *,
        states: Collection[DeliveryState] = (),
        limit: int = 100,
        after: str | None = None,
    ) -> Sequence[Delivery]:
        """The newest first; ``after`` is the last id of the page before."""
        ...

    async def redeliver(self, webhook_id: str, delivery_id: str) -> Delivery:
        """Puts a delivery in line once more, whatever became of it."""
        ...

    async def alerts(self) -> Sequence[Alert]:
        """Those that are raised, the oldest first."""
        ...
