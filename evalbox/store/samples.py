"""What sandboxes and the host used over time. Both histories are bounded."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from evalbox.domain.attempt import Usage
from evalbox.store.access import Access
from evalbox.store.rows import USAGE, usage_from, usage_values
from evalbox.store.sqlite import Connection

Sample = tuple[str, int, float, Usage]

#: Samples kept of one attempt; beyond it, every other one goes, so that the rest still span it all.
ATTEMPT_SAMPLES = 600
#: Samples kept of the host, and for how long, in seconds.
HOST_SAMPLES = 20_000
HOST_SAMPLES_AGE = 7 * 86400.0


class Samples(Access):
    async def add_samples(self, samples: Iterable[Sample]) -> None:
        """Adds samples of attempts: id, attempt, time, usage. Those of unknown ones are dropped."""
        taken = list(samples)
        await self._write(lambda conn: _add(conn, taken))

    async def samples(self, evaluation_id: str, attempt: int) -> list[tuple[float, Usage]]:
        """Time and usage, oldest first."""
        query = (
            f"SELECT at, {USAGE} FROM samples WHERE evaluation_id = ? AND attempt = ? ORDER BY at"
        )
        values = (evaluation_id, attempt)
        rows = await self._read(lambda conn: conn.execute(query, values).fetchall())
        return [(row[0], usage_from(row[1:])) for row in rows]

    async def add_host_sample(self, at: float, data: Mapping[str, Any]) -> None:
        """Adds a sample of the host. ``data`` must be what JSON can hold."""
        text = json.dumps(dict(data))

        def work(conn: Connection) -> None:
            conn.execute("INSERT INTO host_samples (at, data) VALUES (?, ?)", (at, text))
            conn.execute(
                "DELETE FROM host_samples"
                " WHERE number <= (SELECT max(number) FROM host_samples) - ?",
                (HOST_SAMPLES,),
            )
            conn.execute("DELETE FROM host_samples WHERE at < ?", (at - HOST_SAMPLES_AGE,))

        await self._write(work)

    async def host_samples(self, since: float) -> list[tuple[float, dict[str, Any]]]:
        """Time and data of the samples from ``since`` on, oldest first."""
        query = "SELECT at, data FROM host_samples WHERE at >= ? ORDER BY at"
        rows = await self._read(lambda conn: conn.execute(query, (since,)).fetchall())
        return [(at, json.loads(data)) for at, data in rows]


def _add(conn: Connection, samples: list[Sample]) -> None:
    for evaluation_id, attempt, at, usage in samples:
        added = conn.execute(
            f"INSERT OR REPLACE INTO samples (evaluation_id, attempt, at, {USAGE})"
            " SELECT ?, ?, ?, ?, ?, ?, ?, ?, ?, ?"
            " WHERE EXISTS (SELECT 1 FROM evaluations WHERE id = ?)",
            (evaluation_id, attempt, at, *usage_values(usage), evaluation_id),
        ).rowcount
        if added:
            _thin_out(conn, evaluation_id, attempt)


def _thin_out(conn: Connection, evaluation_id: str, attempt: int) -> None:
    values = (evaluation_id, attempt)
    times = conn.execute(
        "SELECT at FROM samples WHERE evaluation_id = ? AND attempt = ? ORDER BY at", values
    ).fetchall()
    if len(times) > ATTEMPT_SAMPLES:
        conn.executemany(
            "DELETE FROM samples WHERE evaluation_id = ? AND attempt = ? AND at = ?",
            [(*values, at) for (at,) in times[1:-1:2]],
        )
