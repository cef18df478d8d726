"""What each webhook is still to be told, and how the telling went."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from evalbox.domain.webhook import Delivery, DeliveryState
from evalbox.errors import WebhookNotFound
from evalbox.store.access import Access
from evalbox.store.rows import Row
from evalbox.store.sqlite import Connection
from evalbox.store.webhooks import tell_of, webhook_in

_DELIVERY = """
    id, webhook_id, seq, kind, state, created_at, attempts, next_try, status, error, finished_at
"""
#: How long deliveries that have ended are kept, in seconds, and how many of each webhook.
_KEPT_SECONDS, _KEPT = 7 * 86400.0, 1000


@dataclass(frozen=True, slots=True)
class Message:
    """What one webhook is to be told of one event; ``body`` is JSON, without a secret in it."""

    webhook_id: str
    seq: int
    kind: str
    body: str


class Deliveries(Access):
    async def add_deliveries(
        self, messages: Sequence[Message], cursor: int, webhooks: Collection[str], now: float
    ) -> None:
        """Puts messages in line, and moves the cursors of ``webhooks`` to where they end."""
        ids = [self._ids.new(now) for _ in messages]

        def work(conn: Connection) -> None:
            for delivery_id, message in zip(ids, messages, strict=True):
                _put(conn, delivery_id, message, now)
            conn.executemany(
                "UPDATE webhooks SET cursor = max(cursor, ?) WHERE id = ?",
                [(cursor, webhook_id) for webhook_id in webhooks],
            )

        await self._write(work)

    async def add_delivery(self, message: Message, now: float) -> Delivery:
        """Puts one message in line that no event is behind. Raises ``WebhookNotFound``."""
        delivery_id = self._ids.new(now)

        def work(conn: Connection) -> Delivery:
            webhook_in(conn, message.webhook_id)
            _put(conn, delivery_id, message, now)
            tell_of(conn, message.webhook_id, now)
            return _delivery_of(conn, message.webhook_id, delivery_id)

        return await self._write(work)

    async def due_deliveries(self, webhook_id: str, now: float, limit: int) -> list[Delivery]:
        """What is to be sent now, what has waited longest first."""
        query = (
            f"SELECT {_DELIVERY} FROM deliveries WHERE webhook_id = ? AND state = 'pending'"
            " AND next_try <= ? ORDER BY next_try, id LIMIT ?"
        )
        rows = await self._read(
            lambda conn: conn.execute(query, (webhook_id, now, limit)).fetchall()
        )
        return [_delivery(row) for row in rows]

    async def next_delivery(self) -> float | None:
        """When the next is to be sent, None where none is."""
        query = (
            "SELECT min(next_try) FROM deliveries WHERE state = 'pending'"
            " AND webhook_id IN (SELECT id FROM webhooks WHERE active = 1)"
        )
        return await self._read(lambda conn: _time(conn.execute(query).fetchone()[0]))

    async def delivery_body(self, delivery_id: str) -> str | None:
        """None where it has been removed."""
        query = "SELECT body FROM deliveries WHERE id = ?"
        row = await self._read(lambda conn: conn.execute(query, (delivery_id,)).fetchone())
        return None if row is None else str(row[0])

    async def settle_delivery(self, delivery: Delivery) -> None:
        """Records how a try went."""

        def work(conn: Connection) -> None:
            conn.execute(
                "UPDATE deliveries SET state = ?, attempts = ?, next_try = ?, status = ?,"
                " error = ?, finished_at = ? WHERE id = ?",
                (
                    delivery.state,
                    delivery.attempts,
                    delivery.next_try,
                    delivery.status,
                    delivery.error,
                    delivery.finished_at,
                    delivery.id,
                ),
            )

        await self._write(work)

    async def deliveries(
        self,
        webhook_id: str,
        *,
        states: Collection[DeliveryState] = (),
        limit: int = 100,
        after: str | None = None,
    ) -> list[Delivery]:
        """The newest first; ``after`` is the last id of the page before."""
        where, parameters = ["webhook_id = ?"], [webhook_id]
        if after is not None:
            where.append("id < ?")
            parameters.append(after)
        if states:
            where.append(f"state IN ({', '.join('?' * len(states))})")
            parameters += sorted(states)
        query = (
            f"SELECT {_DELIVERY} FROM deliveries WHERE {' AND '.join(where)}"
            f" ORDER BY id DESC LIMIT {int(limit)}"
        )

        def work(conn: Connection) -> list[Row]:
            webhook_in(conn, webhook_id)
            return conn.execute(query, parameters).fetchall()

        rows = await self._read(work)
        return [_delivery(row) for row in rows]

    async def redeliver(self, webhook_id: str, delivery_id: str, now: float) -> Delivery:
        """Puts a delivery in line once more, with a day of tries. Raises ``WebhookNotFound``."""

        def work(conn: Connection) -> Delivery:
            _delivery_of(conn, webhook_id, delivery_id)
            conn.execute(
                "UPDATE deliveries SET state = 'pending', attempts = 0, created_at = ?,"
                " next_try = ?, finished_at = NULL WHERE id = ?",
                (now, now, delivery_id),
            )
            tell_of(conn, webhook_id, now)
            return _delivery_of(conn, webhook_id, delivery_id)

        return await self._write(work)

    async def forget_deliveries(self, now: float) -> None:
        """Drops those that ended long ago, and of each webhook all but the newest of them."""

        def work(conn: Connection) -> None:
            conn.execute("DELETE FROM deliveries WHERE finished_at < ?", (now - _KEPT_SECONDS,))
            for (webhook_id,) in conn.execute("SELECT id FROM webhooks").fetchall():
                conn.execute(
                    "DELETE FROM deliveries WHERE finished_at IS NOT NULL AND webhook_id = ?"
                    " AND id < (SELECT id FROM deliveries WHERE webhook_id = ?"
                    " ORDER BY id DESC LIMIT 1 OFFSET ?)",
                    (webhook_id, webhook_id, _KEPT),
                )

        await self._write(work)


def _put(conn: Connection, delivery_id: str, message: Message, now: float) -> None:
    """One event is told to one webhook once, and to none that has just been removed."""
    conn.execute(
        "INSERT INTO deliveries (id, webhook_id, seq, kind, body, state, created_at, next_try)"
        " SELECT ?, id, ?, ?, ?, 'pending', ?, ? FROM webhooks WHERE id = ?"
        " ON CONFLICT DO NOTHING",
        (delivery_id, message.seq, message.kind, message.body, now, now, message.webhook_id),
    )


def _delivery_of(conn: Connection, webhook_id: str, delivery_id: str) -> Delivery:
    webhook_in(conn, webhook_id)
    query = f"SELECT {_DELIVERY} FROM deliveries WHERE id = ? AND webhook_id = ?"
    row = conn.execute(query, (delivery_id, webhook_id)).fetchone()
    if row is None:
        raise WebhookNotFound(
            f"webhook {webhook_id} has no delivery {delivery_id!r}",
            hint=f"list them with: evalbox webhooks deliveries {webhook_id}",
        )
    return _delivery(row)


def _delivery(row: Row) -> Delivery:
    return Delivery(
        id=row[0],
        webhook_id=row[1],
        seq=row[2],
        kind=row[3],
        state=DeliveryState(row[4]),
        created_at=row[5],
        attempts=row[6],
        next_try=row[7],
        status=row[8],
        error=row[9],
        finished_at=row[10],
    )


def _time(value: float | None) -> float | None:
    return None if value is None else float(value)
