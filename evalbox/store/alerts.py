"""The alerts that are raised."""

from __future__ import annotations

from evalbox.domain.alert import Alert, Severity
from evalbox.store.access import Access
from evalbox.store.events import add_event
from evalbox.store.sqlite import Connection


class Alerts(Access):
    async def alerts(self) -> list[Alert]:
        """The oldest first."""
        query = "SELECT key, severity, text, raised_at FROM alerts ORDER BY raised_at, key"
        rows = await self._read(lambda conn: conn.execute(query).fetchall())
        return [Alert(row[0], Severity(row[1]), row[2], row[3]) for row in rows]

    async def raise_alert(self, alert: Alert) -> None:
        """One that is raised already stays as it is, and is not told of again."""

        def work(conn: Connection) -> None:
            added = conn.execute(
                "INSERT INTO alerts VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING",
                (alert.key, alert.severity, alert.text, alert.raised_at),
            )
            if added.rowcount:
                _tell(conn, "alert.raised", alert, alert.raised_at)

        await self._write(work)

    async def resolve_alert(self, key: str, now: float) -> None:
        """Nothing, where it is not raised."""

        def work(conn: Connection) -> None:
            row = conn.execute(
                "DELETE FROM alerts WHERE key = ? RETURNING key, severity, text, raised_at", (key,)
            ).fetchone()
            if row is not None:
                alert = Alert(row[0], Severity(row[1]), row[2], row[3])
                _tell(conn, "alert.resolved", alert, now)

        await self._write(work)


def _tell(conn: Connection, kind: str, alert: Alert, at: float) -> None:
    data = {
        "key": alert.key,
        "severity": alert.severity,
        "text": alert.text,
        "raised_at": alert.raised_at,
    }
    add_event(conn, kind, at, data=data)
