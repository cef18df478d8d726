"""Webhooks: who is told of what, and how far each has been told."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass

from evalbox.domain.webhook import MAX_WEBHOOKS, Format, Webhook
from evalbox.errors import Conflict, WebhookNotFound
from evalbox.store.access import Access
from evalbox.store.changes import read_last_seq
from evalbox.store.events import add_event
from evalbox.store.rows import Row
from evalbox.store.sqlite import Connection
from evalbox.wire.webhooks import interest, interest_from

_WEBHOOK = "id, url, format, interest, created_at, active, reason"


@dataclass(frozen=True, slots=True)
class Follower:
    """An active webhook, and the newest event that deliveries have been made of for it."""

    webhook: Webhook
    cursor: int


class Webhooks(Access):
    async def add_webhook(self, webhook: Webhook, secret: str) -> None:
        """It is told what comes from now on. Raises ``Conflict`` where there are too many."""

        def work(conn: Connection) -> None:
            if conn.execute("SELECT count(*) FROM webhooks").fetchone()[0] >= MAX_WEBHOOKS:
                raise Conflict(
                    f"there are {MAX_WEBHOOKS} webhooks already", hint="remove one that is not used"
                )
            conn.execute(
                "INSERT INTO webhooks (id, url, format, interest, secret, created_at, active,"
                " reason, cursor) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    webhook.id,
                    webhook.url,
                    webhook.format,
                    json.dumps(interest(webhook.interest)),
                    self.vault.seal(secret.encode(), _context(webhook.id)),
                    webhook.created_at,
                    int(webhook.active),
                    webhook.reason,
                    read_last_seq(conn),
                ),
            )
            tell_of(conn, webhook.id, webhook.created_at)

        await self._write(work)

    async def webhooks(self) -> list[Webhook]:
        """All of them, the newest first."""
        query = f"SELECT {_WEBHOOK} FROM webhooks ORDER BY created_at DESC, id"
        rows = await self._read(lambda conn: conn.execute(query).fetchall())
        return [_webhook(row) for row in rows]

    async def webhook(self, webhook_id: str) -> Webhook:
        """Raises ``WebhookNotFound``."""
        return await self._read(lambda conn: webhook_in(conn, webhook_id))

    async def webhook_secret(self, webhook_id: str) -> str:
        """Raises ``WebhookNotFound``, and ``StoreError`` where it cannot be unsealed."""

        def work(conn: Connection) -> str:
            webhook_in(conn, webhook_id)
            query = "SELECT secret FROM webhooks WHERE id = ?"
            sealed = conn.execute(query, (webhook_id,)).fetchone()[0]
            return self.vault.open(bytes(sealed), _context(webhook_id)).decode()

        return await self._read(work)

    async def change_webhook(
        self, webhook_id: str, change: Callable[[Webhook], Webhook], now: float
    ) -> Webhook:
        """Stores what ``change`` makes of it. One that is turned on again starts from now.

        Raises ``WebhookNotFound``.
        """

        def work(conn: Connection) -> Webhook:
            old = webhook_in(conn, webhook_id)
            new = change(old)
            conn.execute(
                "UPDATE webhooks SET url = ?, interest = ?, active = ?, reason = ? WHERE id = ?",
                (
                    new.url,
                    json.dumps(interest(new.interest)),
                    int(new.active),
                    new.reason,
                    webhook_id,
                ),
            )
            if new.active and not old.active:
                conn.execute(
                    "UPDATE webhooks SET cursor = ? WHERE id = ?", (read_last_seq(conn), webhook_id)
                )
            tell_of(conn, webhook_id, now)
            return new

        return await self._write(work)

    async def remove_webhook(self, webhook_id: str, now: float) -> None:
        """With what it was still to be told. Raises ``WebhookNotFound``."""

        def work(conn: Connection) -> None:
            webhook_in(conn, webhook_id)
            conn.execute("DELETE FROM webhooks WHERE id = ?", (webhook_id,))
            tell_of(conn, webhook_id, now)

        await self._write(work)

    async def followers(self) -> list[Follower]:
        """The active webhooks."""
        query = f"SELECT {_WEBHOOK}, cursor FROM webhooks WHERE active = 1 ORDER BY id"
        rows = await self._read(lambda conn: conn.execute(query).fetchall())
        return [Follower(_webhook(row[:7]), row[7]) for row in rows]


def tell_of(conn: Connection, webhook_id: str, now: float) -> None:
    """Wakes who delivers, in whichever process."""
    add_event(conn, "webhook.changed", now, data={"webhook": webhook_id})


def webhook_in(conn: Connection, webhook_id: str) -> Webhook:
    """Raises ``WebhookNotFound``."""
    row = conn.execute(f"SELECT {_WEBHOOK} FROM webhooks WHERE id = ?", (webhook_id,)).fetchone()
    if row is None:
        raise WebhookNotFound(
            f"no webhook {webhook_id!r}", hint="list them with: evalbox webhooks ls"
        )
    return _webhook(row)


def _webhook(row: Row) -> Webhook:
    return Webhook(
        id=row[0],
        url=row[1],
        format=Format(row[2]),
        interest=interest_from(json.loads(row[3])),
        created_at=row[4],
        active=bool(row[5]),
        reason=row[6],
    )


def _context(webhook_id: str) -> str:
    return f"secret of webhook {webhook_id}"
