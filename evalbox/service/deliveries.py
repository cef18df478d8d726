"""Tells webhooks what happens: at least once, however often either side goes away meanwhile."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from evalbox.config.settings import Settings
from evalbox.domain.clock import Clock
from evalbox.domain.event import Event
from evalbox.domain.webhook import (
    DELIVERY,
    KIND,
    SIGNATURE,
    Delivery,
    DeliveryState,
    Format,
    Webhook,
    next_try,
    sign,
)
from evalbox.errors import EvalboxError, StoreError, WebhookNotFound
from evalbox.service.messages import messages
from evalbox.store.store import Store
from evalbox.store.webhooks import Follower
from evalbox.telemetry.logs import get_logger

if TYPE_CHECKING:
    from evalbox.service.posting import Answer, Poster

log = get_logger(__name__)

#: Messages to one webhook at a time: one that answers slowly keeps no other waiting.
_AT_ONCE = 4
_PAGE = 500
#: Seconds between looks at the log of events while it grows, after a failure of the store, and at
#: most while a message waits for its next try.
_BREATH, _PAUSE, _LOOK = 0.1, 2.0, 1.0
#: Events after which the cursors are stored although there was nothing to tell.
_STRIDE = 5000
#: Seconds between the forgettings of what was delivered long ago.
_FORGETTING = 3600.0
#: The receiver wants no more, ever; what PagerDuty says to what it will never take.
_GONE, _BAD_REQUEST = 410, 400


class Deliveries:
    """For the process that runs the queue, from ``start`` to ``stop``."""

    def __init__(self, store: Store, settings: Settings, clock: Clock) -> None:
        self._store = store
        self._private = settings.webhook_private
        self._clock = clock
        self._poster: Poster | None = None
        self._making = asyncio.Lock()
        self._seq = 0
        self._stored = 0
        self._sending: dict[str, dict[str, asyncio.Task[None]]] = {}
        self._wake = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self._next_forgetting = 0.0

    async def start(self) -> None:
        followers = await self._store.followers()
        newest = await self._store.last_seq()
        self._seq = self._stored = min((one.cursor for one in followers), default=newest)
        self._tasks = [
            asyncio.create_task(self._collect_for_ever(), name="webhooks-collect"),
            asyncio.create_task(self._send_for_ever(), name="webhooks-send"),
        ]

    async def stop(self, *, patience: float) -> None:
        """Tells what has just happened, for at most so many seconds; the rest is the next one's."""
        await _cancelled(self._tasks)
        try:
            if patience > 0:
                async with asyncio.timeout(patience):
                    await self._finish()
        except (TimeoutError, EvalboxError):
            log.info("messages are left to the next process")
        finally:
            await _cancelled(
                [task for sending in self._sending.values() for task in sending.values()]
            )
            if self._poster is not None:
                await self._poster.close()

    async def _finish(self) -> None:
        while await self._collect():
            pass
        await self._send()
        while tasks := [task for sending in self._sending.values() for task in sending.values()]:
            await asyncio.wait(tasks)
            await self._send()

    async def _collect_for_ever(self) -> None:
        while True:
            try:
                await self._store.wait_for_change(self._seq, 3600.0)
                while await self._collect():
                    pass
                await asyncio.sleep(_BREATH)
            except StoreError as error:
                log.error("webhooks are not told", error=error.message)
                await asyncio.sleep(_PAUSE)
            except Exception:
                log.exception("evalbox itself failed")
                await asyncio.sleep(_PAUSE)

    async def _collect(self) -> bool:
        """Makes deliveries of the next events; whether there may be more of them."""
        # In this order: one that is added meanwhile is told what comes behind ``newest``.
        newest = await self._store.last_seq()
        followers = await self._store.followers()
        if not followers:
            self._seq = self._stored = newest
            return False
        page = await self._store.events(self._seq, limit=_PAGE)
        events = [event for event in page if event.seq <= newest]
        if events:
            await self._make(events, followers)
        self._wake.set()
        return len(events) == _PAGE

    async def _make(self, events: Sequence[Event], followers: Sequence[Follower]) -> None:
        made = await messages(self._store, events, followers)
        cursor = events[-1].seq
        if made or cursor - self._stored >= _STRIDE:
            ids = [one.webhook.id for one in followers]
            await self._store.add_deliveries(made, cursor, ids, self._clock.now())
            self._stored = cursor
        self._seq = cursor

    async def _send_for_ever(self) -> None:
        while True:
            self._wake.clear()
            try:
                pause = await self._send()
                await self._forget()
            except StoreError as error:
                log.error("webhooks are not told", error=error.message)
                pause = _PAUSE
            except Exception:
                log.exception("evalbox itself failed")
                pause = _PAUSE
            alarm = None
            if pause is not None:
                alarm = asyncio.get_running_loop().call_later(pause, self._wake.set)
            await self._wake.wait()
            if alarm is not None:
                alarm.cancel()

    async def _send(self) -> float | None:
        """Begins what is due; gives the seconds after which to look again unasked."""
        now = self._clock.now()
        full = False
        for follower in await self._store.followers():
            webhook = follower.webhook
            sending = self._sending.setdefault(webhook.id, {})
            due = await self._store.due_deliveries(webhook.id, now, _AT_ONCE + len(sending))
            waiting = [delivery for delivery in due if delivery.id not in sending]
            for delivery in waiting[: _AT_ONCE - len(sending)]:
                task = asyncio.create_task(self._deliver(webhook, delivery), name="webhook")
                sending[delivery.id] = task
            full = full or bool(sending)
        due_at = await self._store.next_delivery()
        if due_at is None or (full and due_at <= now):
            # The end of what is being sent wakes this, too.
            return None if due_at is None else _LOOK
        return min(_LOOK, max(0.0, due_at - now))

    async def _deliver(self, webhook: Webhook, delivery: Delivery) -> None:
        try:
            body = await self._store.delivery_body(delivery.id)
            if body is not None:
                secret = await self._store.webhook_secret(webhook.id)
                answer = await self._post(webhook, delivery, body, secret)
                await self._settle(webhook, delivery, answer)
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

    async def _post(self, webhook: Webhook, delivery: Delivery, body: str, secret: str) -> Answer:
        # Half a second of loading that those without webhooks are spared.
        async with self._making:
            if self._poster is None:
                self._poster = await asyncio.to_thread(_poster, self._private)
            poster = self._poster
        headers = {DELIVERY: delivery.id, KIND: delivery.kind}
        if webhook.format is Format.PAGERDUTY:
            content = json.dumps({"routing_key": secret, **json.loads(body)}).encode()
        else:
            content = body.encode()
            headers[SIGNATURE] = sign(secret, content, self._clock.now())
        return await poster.post(webhook.url, content, headers)

    async def _settle(self, webhook: Webhook, delivery: Delivery, answer: Answer) -> None:
        now = self._clock.now()
        tried = replace(
            delivery,
            attempts=delivery.attempts + 1,
            status=answer.status,
            error=answer.error[:500],
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

    async def _forget(self) -> None:
        now = self._clock.monotonic()
        if now >= self._next_forgetting:
            self._next_forgetting = now + _FORGETTING
            if await self._store.webhooks():
                await self._store.forget_deliveries(self._clock.now())


def _is_refused(webhook: Webhook, answer: Answer) -> bool:
    """Whether to try again would be of no use."""
    pagerduty = webhook.format is Format.PAGERDUTY
    return answer.status == _GONE or (pagerduty and answer.status == _BAD_REQUEST)


def _poster(private: bool) -> Poster:
    from evalbox.service.posting import Poster

    return Poster(private=private)


async def _cancelled(tasks: Sequence[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
