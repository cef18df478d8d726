"""``/webhooks`` and ``/alerts``: who is told what happens, and what is wrong with the box."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query, Response
from pydantic import Field

from evalbox.api.auth import requires
from evalbox.api.context import TheBox
from evalbox.api.models import Body, Flag, Items, Text
from evalbox.api.paging import Cursor, Limit, Page
from evalbox.domain.access import Scope
from evalbox.domain.outcome import Outcome
from evalbox.domain.webhook import PAGERDUTY_URL, DeliveryState, Format, Interest, Topic
from evalbox.errors import InvalidInput
from evalbox.wire import webhooks
from evalbox.wire.webhooks import (
    AlertDocument,
    DeliveryDocument,
    NewWebhookDocument,
    WebhookDocument,
)

router = APIRouter(tags=["webhooks"])
READ, ADMIN = [requires(Scope.READ)], [requires(Scope.ADMIN)]

WebhookId = Annotated[str, Path(alias="webhook", pattern=r"^[0-9a-z]{10}$")]
DeliveryId = Annotated[str, Path(alias="delivery", pattern=r"^[0-9a-z]{22}$")]
Url = Annotated[str, Field(min_length=1, max_length=2048)]


class InterestBody(Body):
    """What a webhook tells; what is null or empty does not narrow it.

    ``outcomes`` and ``labels`` are about evaluations, ``batch`` about evaluations and batches.
    """

    topics: Items[Topic] = Field(default_factory=lambda: list(Topic), min_length=1, max_length=3)
    outcomes: Items[Outcome] = Field(default_factory=list, max_length=len(Outcome))
    batch: Text | None = None
    labels: dict[str, str] = Field(default_factory=dict, max_length=50)

    def interest(self) -> Interest:
        return Interest(
            topics=frozenset(self.topics),
            outcomes=frozenset(self.outcomes),
            batch=self.batch,
            labels=self.labels,
        )


class WebhookBody(InterestBody):
    """``url`` may be left out for PagerDuty, whose routing key is the ``secret``.

    Else a ``secret`` is made where none is given.
    """

    url: Url | None = None
    format: Format = Format.EVALBOX
    secret: Annotated[str, Field(min_length=1, max_length=200)] | None = None


class WebhookChangeBody(Body):
    """What is null stays as it is."""

    url: Url | None = None
    interest: InterestBody | None = None
    active: Flag | None = None


@router.post("/webhooks", status_code=201, dependencies=ADMIN)
async def create_webhook(body: WebhookBody, box: TheBox, response: Response) -> NewWebhookDocument:
    """Makes a webhook, which is told what happens from now on. Its secret is told this once."""
    url = body.url or (PAGERDUTY_URL if body.format is Format.PAGERDUTY else None)
    if url is None:
        raise InvalidInput("a webhook needs a URL", hint="give the receiver's", field="url")
    webhook, secret = await box.webhooks.create(
        url, format=body.format, interest=body.interest(), secret=body.secret or ""
    )
    response.headers["Location"] = f"/api/v1/webhooks/{webhook.id}"
    return webhooks.new_webhook(webhook, secret)


@router.get("/webhooks", dependencies=ADMIN)
async def list_webhooks(box: TheBox) -> list[WebhookDocument]:
    """All webhooks, the newest first, without their secrets."""
    return [webhooks.webhook(item) for item in await box.webhooks.list()]


@router.get("/webhooks/{webhook}", dependencies=ADMIN)
async def get_webhook(webhook_id: WebhookId, box: TheBox) -> WebhookDocument:
    """One webhook, without its secret."""
    return webhooks.webhook(await box.webhooks.get(webhook_id))


@router.patch("/webhooks/{webhook}", dependencies=ADMIN)
async def change_webhook(
    webhook_id: WebhookId, body: WebhookChangeBody, box: TheBox
) -> WebhookDocument:
    """Changes a webhook, or turns it off and on; then it is told what happens from that on."""
    changed = await box.webhooks.change(
        webhook_id,
        url=body.url,
        interest=None if body.interest is None else body.interest.interest(),
        active=body.active,
    )
    return webhooks.webhook(changed)


@router.delete("/webhooks/{webhook}", status_code=204, dependencies=ADMIN)
async def delete_webhook(webhook_id: WebhookId, box: TheBox) -> None:
    """Removes a webhook, with what it was still to be told."""
    await box.webhooks.remove(webhook_id)


@router.post("/webhooks/{webhook}/test", status_code=202, dependencies=ADMIN)
async def test_webhook(webhook_id: WebhookId, box: TheBox) -> DeliveryDocument:
    """Sends a sample. Its delivery says later how that went."""
    return webhooks.delivery(await box.webhooks.test(webhook_id))


@router.get("/webhooks/{webhook}/deliveries", dependencies=ADMIN)
async def list_deliveries(
    webhook_id: WebhookId,
    box: TheBox,
    state: Annotated[list[DeliveryState] | None, Query(max_length=3)] = None,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> Page[DeliveryDocument]:
    """Messages, the newest first. Those that have ended are kept for a week, at most 1,000."""
    found = await box.webhooks.deliveries(webhook_id, states=state or (), limit=limit, after=cursor)
    return {
        "items": [webhooks.delivery(item) for item in found],
        "next": found[-1].id if len(found) == limit else None,
    }


@router.post("/webhooks/{webhook}/deliveries/{delivery}/redeliver", dependencies=ADMIN)
async def redeliver(
    webhook_id: WebhookId, delivery_id: DeliveryId, box: TheBox
) -> DeliveryDocument:
    """Sends a message once more, whatever became of it."""
    return webhooks.delivery(await box.webhooks.redeliver(webhook_id, delivery_id))


@router.get("/alerts", dependencies=READ)
async def list_alerts(box: TheBox) -> list[AlertDocument]:
    """What is wrong with the box now, the oldest first."""
    return [webhooks.alert(item) for item in await box.webhooks.alerts()]
