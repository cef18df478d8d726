"""Sends the messages that are due, each webhook's beside the others'."""

from __future__ import annotations

import asyncio
import json
import random
from dataclasses import replace
from typing import TYPE_CHECKING

from evalbox.domain.clock import Clock
from evalbox.domain.webhook import (
    DELIVERY,
    KIND,
    SIGNATURE,
    Answer,
    Delivery,
    DeliveryState,
    Format,
    Webhook,
    next_try,
    sign,
)
from evalbox.errors import StoreError, WebhookNotFound
from evalbox.store.store import Store
from evalbox.telemetry.logs import get_logger

if TYPE_CHECKING:
    from evalbox.service.posting import Poster

log = get_logger(__name__)

#: Messages to one webhook at a time: one that answers slowly keeps no other waiting.
_AT_ONCE = 4
#: Seconds between looks while a message waits for its next try, and after a failure of the store.
_LOOK, _PAUSE = 1.0, 2.0
_LONGEST_ERROR = 500
#: The receiver wants no more, ever; what PagerDuty says to what it will never take.
_GONE, _BAD_REQUEST = 410, 400


class Sender:
    """``wake`` is set when a message has been sent, so that the next can be."""

    def __init__(self, store: Store, clock: Clock, wake: asyncio.Event, *, private: bool) -> None:
        self._store = store
        self._clock = clock
        self._wake = wake
        self._private = private
        self._sending: dict[str, dict[str, asyncio.Task[None]]] = {}
        self._poster: Poster | None = None
        self._making = asyncio.Lock()

    @property
    def tasks(self) -> list[asyncio.Task[None]]:
        """The messages that are being sent."""
        return [task for sending in self._sending.values() for task in sending.values()]

    async def send(self) -> float | None:
        """Begins what is due; gives the seconds after which to look again unasked."""
        now = self._clock.now()
        for follower in await self._store.followers():
            webhook = follower.webhook
            sending = self._sending.setdefault(webhook.id, {})
            due = await self._store.due_deliveries(webhook.id, now, _AT_ONCE + len(sending))
            waiting = [delivery for delivery in due if delivery.id not in sending]
            for delivery in waiting[: _AT_ONCE - len(sending)]:
                task = asyncio.create_task(self._deliver(webhook, delivery), name="webhook")
                sending[delivery.id] = task
        due_at = await self._store.next_delivery()
        if due_at is None:
            return None
        # What is being sent counts as due, and wakes this itself when it has been.
        return _LOOK if due_at <= now and self.tasks else min(_LOOK, max(0.0, due_at - now))

    async def close(self) -> None:
        """Lets go of what is being sent: it is sent again by the next process."""
        tasks = self.tasks
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._poster is not None:
            await self._poster.close()

    async def _deliver(self, webhook: Webhook, delivery: Delivery) -> None:
        try:
            body = await self._store.delivery_body(delivery.id)
            if body is not None:
                await self._settle(webhook, delivery, await self._post(webhook, delivery, body))
        except WebhookNotFound:
            pass
        except StoreError as error:
            log.error("a message was not sent", webhook=webhook.id, error=error.message)
            # Else it would be tried again at once.
            await asyncio.sleep(_PAUSE)
        except Exception:
            log.exception("evalbox itself failed", webhook=webhook.id)
            await asyncio.sleep(_PAUSE)
        finally:
            self._sending[webhook.id].pop(delivery.id, None)
            self._wake.set()

    async def _post(self, webhook: Webhook, delivery: Delivery, body: str) -> Answer:
        try:
            secret = await self._store.webhook_secret(webhook.id)
        except StoreError as error:
            return Answer(None, error.message)
        headers = {DELIVERY: delivery.id, KIND: delivery.kind}
        if webhook.format is Format.PAGERDUTY:
            content = json.dumps({"routing_key": secret, **json.loads(body)}).encode()
        else:
            content = body.encode()
            headers[SIGNATURE] = sign(secret, content, self._clock.now())
        return await (await self._made()).post(webhook.url, content, headers)

    async def _made(self) -> Poster:
        """Half a second of loading, which those without webhooks are spared."""
        async with self._making:
            if self._poster is None:
                self._poster = await asyncio.to_thread(_poster, self._private)
            return self._poster

    async def _settle(self, webhook: Webhook, delivery: Delivery, answer: Answer) -> None:
        now = self._clock.now()
        tried = replace(
            delivery,
            attempts=delivery.attempts + 1,
            status=answer.status,
            error=answer.error[:_LONGEST_ERROR],
            next_try=None,
            finished_at=now,
        )
        if not answer.error:
            await self._store.settle_delivery(replace(tried, state=DeliveryState.DELIVERED))
            return
        due = None
        if not _is_refused(webhook, answer):
            due = next_try(delivery, now, chance=random.random())  # noqa: S311
        if due is not None:
            later = replace(tried, state=DeliveryState.PENDING, next_try=due, finished_at=None)
            await self._store.settle_delivery(later)
            return
        log.warning("a message is given up", webhook=webhook.id, error=answer.error)
        await self._store.settle_delivery(replace(tried, state=DeliveryState.DEAD))
        if answer.status == _GONE:
            await self._turn_off(webhook, now)

    async def _turn_off(self, webhook: Webhook, now: float) -> None:
        reason = f"the receiver answered {_GONE}: it wants no more"
        await self._store.change_webhook(
            webhook.id, lambda old: replace(old, active=False, reason=reason), now
        )


def _is_refused(webhook: Webhook, answer: Answer) -> bool:
    """Whether to try again would be of no use."""
    pagerduty = webhook.format is Format.PAGERDUTY
    return answer.status == _GONE or (pagerduty and answer.status == _BAD_REQUEST)


def _poster(private: bool) -> Poster:
    from evalbox.service.posting import Poster

    return Poster(private=private)
