"""What a webhook is told of an event, with what the box knows of it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from evalbox.domain.alert import Alert, Severity
from evalbox.domain.batch import Batch
from evalbox.domain.evaluation import Evaluation
from evalbox.domain.event import Event
from evalbox.domain.webhook import Format, Topic, Webhook, topic_of
from evalbox.errors import NotFound
from evalbox.store.deliveries import Message
from evalbox.store.store import Store
from evalbox.store.webhooks import Follower
from evalbox.wire import document, pagerduty, webhooks
from evalbox.wire.webhooks import MessageDocument

TEST = "webhook.test"


@dataclass(frozen=True, slots=True)
class Subject:
    """What an event is about, as far as it is still there."""

    event: Event
    evaluation: Evaluation | None = None
    batch: Batch | None = None

    def message(self, box: str) -> MessageDocument:
        return {
            "kind": self.event.kind,
            "box": box,
            "event": document.event(self.event),
            "evaluation": None if self.evaluation is None else document.evaluation(self.evaluation),
            "batch": None if self.batch is None else document.batch(self.batch),
            "alert": _alert(self.event),
        }


async def messages(
    store: Store, events: Sequence[Event], followers: Sequence[Follower]
) -> list[Message]:
    """Of ``events``, what each of ``followers`` wants to be told and has not been yet."""
    found = []
    for event in events:
        topic = topic_of(event.kind)
        behind = [follower for follower in followers if follower.cursor < event.seq]
        if topic is None or not any(topic in one.webhook.interest.topics for one in behind):
            continue
        subject = await _subject(store, event, topic)
        for follower in behind:
            if _wants(follower.webhook, topic, subject):
                found.append(message_for(follower.webhook, subject, store.box_id))
    return found


def message_for(webhook: Webhook, subject: Subject, box: str) -> Message:
    told = subject.message(box)
    content = pagerduty.event(told) if webhook.format is Format.PAGERDUTY else told
    return Message(
        webhook_id=webhook.id,
        seq=subject.event.seq,
        kind=subject.event.kind,
        body=json.dumps(content, separators=(",", ":")),
    )


def test_message(webhook: Webhook, box: str, now: float) -> Message:
    """A sample, which no event is behind."""
    return message_for(webhook, Subject(Event(seq=0, at=now, kind=TEST)), box)


async def _subject(store: Store, event: Event, topic: Topic) -> Subject:
    try:
        if topic is Topic.EVALUATION and event.evaluation_id is not None:
            return Subject(event, evaluation=await store.get(event.evaluation_id))
        if topic is Topic.BATCH and event.batch is not None:
            return Subject(event, batch=await store.batch(event.batch))
    except NotFound:
        pass
    return Subject(event)


def _wants(webhook: Webhook, topic: Topic, subject: Subject) -> bool:
    labels = subject.evaluation.spec.labels if subject.evaluation is not None else {}
    return webhook.interest.wants(
        topic,
        outcome=subject.event.data.get("outcome"),
        batch=subject.event.batch,
        labels=labels,
    )


def _alert(event: Event) -> webhooks.AlertDocument | None:
    if topic_of(event.kind) is not Topic.ALERT:
        return None
    data = event.data
    return webhooks.alert(
        Alert(data["key"], Severity(data["severity"]), data["text"], data["raised_at"])
    )
