"""What an attempt left behind for its user."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from evalbox.store.access import Access
from evalbox.store.sqlite import Connection


@dataclass(frozen=True, slots=True)
class ArtifactRecord:
    """A file that was kept, or something that was not, and why.

    ``path`` is relative to the attempt's directory of artifacts, ``size`` in bytes as the task had
    it, ``mode`` its permission bits.
    """

    path: str
    size: int
    mode: int = 0o644
    kind: Literal["file", "skipped"] = "file"
    reason: str = ""


class Artifacts(Access):
    def attempt_dir(self, evaluation_id: str, attempt: int) -> Path:
        """Where the files of an attempt lie."""
        return self.directory / "attempts" / evaluation_id / str(attempt)

    def artifact_dir(self, evaluation_id: str, attempt: int) -> Path:
        """Where the artifacts of an attempt lie. It need not exist."""
        return self.attempt_dir(evaluation_id, attempt) / "artifacts"

    async def artifacts(
        self, evaluation_id: str, attempt: int | None = None
    ) -> list[ArtifactRecord]:
        """The artifacts of one attempt; by default of the last one that has any."""
        rows = await self._read(lambda conn: _select(conn, evaluation_id, attempt))
        return [ArtifactRecord(*row) for row in rows]


def _select(conn: Connection, evaluation_id: str, attempt: int | None) -> list[tuple[object, ...]]:
    if attempt is None:
        row = conn.execute(
            "SELECT max(attempt) FROM artifacts WHERE evaluation_id = ?", (evaluation_id,)
        ).fetchone()
        attempt = row[0]
    return conn.execute(
        "SELECT path, size, mode, kind, reason FROM artifacts"
        " WHERE evaluation_id = ? AND attempt = ? ORDER BY position",
        (evaluation_id, attempt),
    ).fetchall()


def add_artifacts(
    conn: Connection, evaluation_id: str, attempt: int, records: Sequence[ArtifactRecord]
) -> None:
    """Lists what an attempt left, in the transaction that ends it."""
    if records:
        conn.executemany(
            "INSERT INTO artifacts VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            [
                (evaluation_id, attempt, place, one.path, one.size, one.mode, one.kind, one.reason)
                for place, one in enumerate(records)
            ],
        )
