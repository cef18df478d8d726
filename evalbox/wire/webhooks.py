"""Webhooks, their messages and alerts as JSON documents, and back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

# Pydantic needs this one before Python 3.12.
from typing_extensions import TypedDict

from evalbox.domain.alert import Alert, Severity
from evalbox.domain.outcome import Outcome
from evalbox.domain.webhook import Delivery, DeliveryState, Format, Interest, Topic, Webhook
from evalbox.wire.moments import iso, iso_or_none, seconds, seconds_or_none
from evalbox.wire.shapes import BatchDocument, EvaluationDocument, EventDocument


class InterestDocument(TypedDict):
    """What a webhook tells; what is null or empty does not narrow it."""

    topics: list[Topic]
    outcomes: list[Outcome]
    batch: str | None
    labels: dict[str, str]


class WebhookDocument(InterestDocument):
    """A webhook without its secret; ``reason`` says why the box turned it off, if it did."""

    id: str
    url: str
    format: Format
    created_at: str
    active: bool
    reason: str


class NewWebhookDocument(WebhookDocument):
    """``secret`` is told this once."""

    secret: str


class DeliveryDocument(TypedDict):
    """One message. ``seq`` is the event's, 0 for a test; ``status`` what the receiver answered."""

    id: str
    webhook_id: str
    seq: int
    kind: str
    state: DeliveryState
    created_at: str
    attempts: int
    next_try: str | None
    status: int | None
    error: str
    finished_at: str | None


class AlertDocument(TypedDict):
    """An alert that is raised."""

    key: str
    severity: Severity
    text: str
    raised_at: str


class MessageDocument(TypedDict):
    """What a webhook of the format ``evalbox`` is sent.

    ``evaluation`` and ``batch`` are as they were when the message was made, ``alert`` is the one
    that was raised or is resolved; each is null where the message is not about one.
    """

    kind: str
    box: str
    event: EventDocument
    evaluation: EvaluationDocument | None
    batch: BatchDocument | None
    alert: AlertDocument | None


def interest(item: Interest) -> InterestDocument:
    return {
        "topics": sorted(item.topics),
        "outcomes": sorted(item.outcomes),
        "batch": item.batch,
        "labels": dict(item.labels),
    }


def interest_from(document: Mapping[str, Any]) -> Interest:
    return Interest(
        topics=frozenset(Topic(topic) for topic in document["topics"]),
        outcomes=frozenset(Outcome(outcome) for outcome in document["outcomes"]),
        batch=document["batch"],
        labels=document["labels"],
    )


def webhook(item: Webhook) -> WebhookDocument:
    return {
        "id": item.id,
        "url": item.url,
        "format": item.format,
        **interest(item.interest),
        "created_at": iso(item.created_at),
        "active": item.active,
        "reason": item.reason,
    }


def new_webhook(item: Webhook, secret: str) -> NewWebhookDocument:
    return {**webhook(item), "secret": secret}


def webhook_from(document: WebhookDocument) -> Webhook:
    return Webhook(
        id=document["id"],
        url=document["url"],
        format=Format(document["format"]),
        interest=interest_from(document),
        created_at=seconds(document["created_at"]),
        active=document["active"],
        reason=document["reason"],
    )


def delivery(item: Delivery) -> DeliveryDocument:
    return {
        "id": item.id,
        "webhook_id": item.webhook_id,
        "seq": item.seq,
        "kind": item.kind,
        "state": item.state,
        "created_at": iso(item.created_at),
        "attempts": item.attempts,
        "next_try": iso_or_none(item.next_try),
        "status": item.status,
        "error": item.error,
        "finished_at": iso_or_none(item.finished_at),
    }


def delivery_from(document: DeliveryDocument) -> Delivery:
    return Delivery(
        id=document["id"],
        webhook_id=document["webhook_id"],
        seq=document["seq"],
        kind=document["kind"],
        state=DeliveryState(document["state"]),
        created_at=seconds(document["created_at"]),
        attempts=document["attempts"],
        next_try=seconds_or_none(document["next_try"]),
        status=document["status"],
        error=document["error"],
        finished_at=seconds_or_none(document["finished_at"]),
    )


def alert(item: Alert) -> AlertDocument:
    return {
        "key": item.key,
        "severity": item.severity,
        "text": item.text,
        "raised_at": iso(item.raised_at),
    }


def alert_from(document: AlertDocument) -> Alert:
    return Alert(
        key=document["key"],
        severity=Severity(document["severity"]),
        text=document["text"],
        raised_at=seconds(document["raised_at"]),
    )
