"""Where in the line what is queued stands."""

from __future__ import annotations

from collections.abc import Iterable

from evalbox.domain.evaluation import Evaluation, Priority
from evalbox.domain.state import State
from evalbox.store.access import Access
from evalbox.store.evaluations import load, refuse, standing
from evalbox.store.events import add_event
from evalbox.store.lanes import Lane, lane_id
from evalbox.store.sqlite import Connection

_STANDS = """
SELECT ready, lanes.priority, lanes.batch, lanes.engine, cpus, memory
FROM evaluations JOIN lanes ON lanes.id = lane WHERE evaluations.id = ?
"""


class Priorities(Access):
    async def prioritize(
        self, ids: Iterable[str], priority: Priority, now: float
    ) -> list[Evaluation]:
        """Gives what is queued another priority, and its place by age within that; all or none.

        Raises ``EvaluationNotFound``, and ``InvalidTransition`` where some are not queued.
        """
        wanted = tuple(dict.fromkeys(ids))

        def work(conn: Connection) -> list[Evaluation]:
            found = [standing(conn, identifier) for identifier in wanted]
            refuse(
                [one for one in found if one.state is not State.QUEUED],
                "put elsewhere in the line",
                hint="only what is queued waits in it; nothing was changed",
            )
            lanes: dict[Lane, int] = {}
            for one in found:
                _move(conn, one.id, priority, now, lanes)
            return load(conn, wanted)

        return await self._write(work)


def _move(
    conn: Connection, evaluation_id: str, priority: Priority, now: float, lanes: dict[Lane, int]
) -> None:
    ready, before, batch, engine, cpus, memory = conn.execute(_STANDS, (evaluation_id,)).fetchone()
    if before == priority:
        return
    lane = Lane(int(priority), batch, engine, cpus, memory)
    if lane not in lanes:
        lanes[lane] = lane_id(conn, lane)
    # The triggers that keep the heads of lanes look at ready: it leaves one lane, then joins one.
    conn.execute("UPDATE evaluations SET ready = 0 WHERE id = ?", (evaluation_id,))
    conn.execute(
        "UPDATE evaluations SET priority = ?, lane = ?, ready = ?, updated_at = ? WHERE id = ?",
        (int(priority), lanes[lane], ready, now, evaluation_id),
    )
    add_event(
        conn,
        "evaluation.prioritized",
        now,
        evaluation_id=evaluation_id,
        batch=batch or None,
        data={"priority": priority.name.lower()},
    )
