"""Removing evaluations, and what nobody needs any more."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator
from functools import partial
from itertools import islice

from evalbox.domain.state import FINAL
from evalbox.store.blobs import GRACE, REMOVED_GRACE, Blobs, delete_unreferenced
from evalbox.store.evaluations import refuse, standing
from evalbox.store.events import add_event
from evalbox.store.files import SCRATCH, delete
from evalbox.store.sqlite import Connection

#: Blobs looked at in one transaction, so that others get their turn.
_SLICE = 500


class Removal(Blobs):
    async def remove(self, ids: Iterable[str]) -> None:
        """Removes evaluations that have ended, with their outputs and artifacts; all or none.

        What a crash leaves undone of it is done at the next start. Raises ``EvaluationNotFound``,
        and ``InvalidTransition`` where some have not ended.
        """
        wanted = tuple(dict.fromkeys(ids))
        now = self.clock.now()

        def work(conn: Connection) -> None:
            found = [standing(conn, identifier) for identifier in wanted]
            refuse(
                [one for one in found if one.state not in FINAL],
                "removed",
                hint="cancel first; nothing was changed",
            )
            for one in found:
                _remove(conn, one.id)
                add_event(conn, "evaluation.removed", now, evaluation_id=one.id, batch=one.batch)

        await self._write(work)
        await self.empty_trash()

    async def empty_trash(self) -> None:
        """Deletes the files of what has been removed."""
        names = await self._read(
            lambda conn: [row[0] for row in conn.execute("SELECT path FROM trash")]
        )
        blobs = [name for name in names if name.startswith("blobs/")]
        others = [name for name in names if not name.startswith("blobs/")]
        await asyncio.to_thread(self._delete, others)
        if others:
            await self._write(partial(_forget, names=others))
        recent = self.clock.now() - REMOVED_GRACE
        for some in _slices(iter(blobs)):
            await self._write(partial(self._collect, names=some, older_than=recent))

    async def collect_garbage(self, now: float) -> int:
        """Deletes what crashes left and blobs that nothing has needed for a day.

        Returns how many blobs went.
        """
        await self.empty_trash()
        await asyncio.to_thread(self._delete_scratch, now - GRACE)
        files = await asyncio.to_thread(self._blob_names)
        collected = 0
        for some in _slices(iter(files)):
            collected += await self._write(
                partial(self._collect, names=some, older_than=now - GRACE)
            )
        await self._write(_drop_unused_lanes)
        return collected

    def _delete(self, names: Iterable[str]) -> None:
        for name in names:
            delete(self.directory / name)

    def _delete_scratch(self, older_than: float) -> None:
        """What work that was killed left."""
        for path in self.directory.glob(f"{SCRATCH}*"):
            if path.stat().st_mtime < older_than:
                delete(path)

    def _collect(self, conn: Connection, *, names: list[str], older_than: float) -> int:
        count = sum(delete_unreferenced(conn, self.directory / name, older_than) for name in names)
        _forget(conn, names)
        return count

    def _blob_names(self) -> list[str]:
        root = self.directory / "blobs"
        return [str(path.relative_to(self.directory)) for path in sorted(root.glob("??/*"))]


def _remove(conn: Connection, evaluation_id: str) -> None:
    blobs = conn.execute("SELECT blob FROM inputs WHERE evaluation_id = ?", (evaluation_id,))
    names = [f"blobs/{blob[:2]}/{blob}" for (blob,) in blobs]
    names.append(f"attempts/{evaluation_id}")
    conn.executemany("INSERT OR IGNORE INTO trash VALUES (?)", [(name,) for name in names])
    conn.execute("DELETE FROM events WHERE evaluation_id = ?", (evaluation_id,))
    conn.execute("DELETE FROM evaluations WHERE id = ?", (evaluation_id,))


def _forget(conn: Connection, names: Iterable[str]) -> None:
    conn.executemany("DELETE FROM trash WHERE path = ?", [(name,) for name in names])


def _drop_unused_lanes(conn: Connection) -> None:
    conn.execute(
        "DELETE FROM lanes WHERE head IS NULL AND id NOT IN (SELECT DISTINCT lane FROM evaluations)"
    )


def _slices(names: Iterator[str]) -> Iterator[list[str]]:
    while some := list(islice(names, _SLICE)):
        yield some
