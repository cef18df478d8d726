"""Images that were made upon others: what is known of them, and what was printed meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Sequence
from pathlib import Path

from evalbox.domain.building import BUILT, BuildRecord, BuildState
from evalbox.errors import ImageNotFound
from evalbox.store.access import Access
from evalbox.store.events import add_event
from evalbox.store.rows import Row
from evalbox.store.sqlite import Connection

_COLUMNS = "key, state, base, engine, created_at, used_at, seconds, size, reason, description"
#: Bytes of logs that are kept.
MOST_LOGS = 512 << 20
#: Seconds of use that one record of it stands for.
_USE = 60.0
_INTERRUPTED = "evalbox stopped in the middle of it"


class Builds(Access):
    @property
    def builds_dir(self) -> Path:
        """Where the logs lie, and what passes through while an image is made."""
        return self.directory / "builds"

    def build_log(self, key: str) -> Path:
        """What the last try at that build printed. It need not exist."""
        return self.builds_dir / f"{key}.log"

    async def trim_build_logs(self, keep: Collection[str] = ()) -> None:
        """Drops the oldest over ``MOST_LOGS`` bytes together, but those of the builds ``keep``."""
        await asyncio.to_thread(self._trim_build_logs, frozenset(keep))

    def _trim_build_logs(self, keep: frozenset[str]) -> None:
        logs = [(path, path.stat()) for path in self.builds_dir.glob("*.log")]
        total = sum(info.st_size for _, info in logs)
        for path, info in sorted(logs, key=lambda one: one[1].st_mtime_ns):
            if total <= MOST_LOGS:
                return
            if path.stem not in keep:
                path.unlink(missing_ok=True)
                total -= info.st_size

    async def build(self, key: str) -> BuildRecord | None:
        query = f"SELECT {_COLUMNS} FROM builds WHERE key = ?"
        row = await self._read(lambda conn: conn.execute(query, (key,)).fetchone())
        return None if row is None else _record(row)

    async def find_build(self, reference: str) -> BuildRecord:
        """By its key, a beginning of that, or the name of its image. Raises ``ImageNotFound``."""
        text = reference.removeprefix(f"{BUILT}:")
        query = f"SELECT {_COLUMNS} FROM builds WHERE substr(key, 1, length(:text)) = :text LIMIT 2"
        rows = await self._read(lambda conn: conn.execute(query, {"text": text}).fetchall())
        if len(rows) != 1 or not text:
            what = "more than one build" if rows else "no build"
            raise ImageNotFound(
                f"{what} has the key {reference[:80]!r}", hint="list them: evalbox images builds"
            )
        return _record(rows[0])

    async def builds(self, *, limit: int = 1000) -> Sequence[BuildRecord]:
        """Those used last come first."""
        query = f"SELECT {_COLUMNS} FROM builds ORDER BY used_at DESC LIMIT ?"
        rows = await self._read(lambda conn: conn.execute(query, (limit,)).fetchall())
        return [_record(row) for row in rows]

    async def build_begun(self, key: str, base: str, engine: str, now: float) -> None:
        def work(conn: Connection) -> None:
            conn.execute(
                f"INSERT OR REPLACE INTO builds ({_COLUMNS})"
                " VALUES (?, 'building', ?, ?, ?, ?, 0, 0, '', '')",
                (key, base, engine, now, now),
            )
            add_event(conn, "image.building", now, data={"key": key, "base": base})

        await self._write(work)

    async def build_ended(self, record: BuildRecord, now: float) -> None:
        """What came of it: an image, or a failure."""

        def work(conn: Connection) -> None:
            conn.execute(
                "UPDATE builds SET state = ?, used_at = ?, seconds = ?, size = ?, reason = ?,"
                " description = ? WHERE key = ?",
                (
                    record.state, now, record.seconds, record.size, record.reason,
                    record.description, record.key,
                ),
            )  # fmt: skip
            told = {"key": record.key, "image": record.image, "seconds": record.seconds}
            if record.state is BuildState.READY:
                add_event(conn, "image.built", now, data=told)
            else:
                add_event(conn, "image.failed", now, data={**told, "reason": record.reason})

        await self._write(work)

    async def build_used(self, record: BuildRecord, now: float) -> None:
        """Its image is wanted, and is there."""
        if record.state is BuildState.READY and now - record.used_at < _USE:
            return
        query = "UPDATE builds SET state = 'ready', used_at = ? WHERE key = ?"
        await self._write(lambda conn: conn.execute(query, (now, record.key)).rowcount)

    async def builds_removed(self, keys: Sequence[str]) -> None:
        """Their images are no more."""
        query = "UPDATE builds SET state = 'removed' WHERE key = ? AND state = 'ready'"
        rows = [(key,) for key in keys]
        await self._write(lambda conn: conn.executemany(query, rows).rowcount)

    async def builds_interrupted(self) -> None:
        """What a process left in the middle is not going on."""
        query = "UPDATE builds SET state = 'failed', reason = ? WHERE state = 'building'"
        await self._write(lambda conn: conn.execute(query, (_INTERRUPTED,)).rowcount)


def _record(row: Row) -> BuildRecord:
    key, state, *rest = row
    return BuildRecord(key, BuildState(state), *rest)
