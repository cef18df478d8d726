"""Where the files of attempts lie, and the list of the artifacts that were kept."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from evalbox.domain.records import ArtifactRecord
from evalbox.store.access import Access
from evalbox.store.files import translate_os
from evalbox.store.sqlite import Connection


class Catalogue(Access):
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

    async def read_whole(
        self, evaluation_id: str, attempt: int, path: str, limit: int
    ) -> bytes | None:
        """A kept artifact, by its path in the sandbox, with at most one byte beyond ``limit``.

        None where it was not kept. Raises ``StoreError``.
        """
        file = self.artifact_dir(evaluation_id, attempt) / path.lstrip("/")
        return await asyncio.to_thread(_read, file, limit + 1)


def _read(file: Path, most: int) -> bytes | None:
    try:
        with file.open("rb") as content:
            return content.read(most)
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
        return None
    except OSError as error:
        raise translate_os(error, file) from error


def _select(conn: Connection, evaluation_id: str, attempt: int | None) -> list[tuple[Any, ...]]:
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
