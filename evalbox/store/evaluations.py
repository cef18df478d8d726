"""Finding evaluations, and what a user may do with one: cancel it, try it again."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from evalbox.domain.evaluation import Evaluation
from evalbox.domain.ids import is_reference, short
from evalbox.domain.outcome import Outcome
from evalbox.domain.records import EvaluationFilter
from evalbox.domain.state import ACTIVE, FINAL, State, may_become
from evalbox.errors import AmbiguousId, EvaluationNotFound, InvalidTransition
from evalbox.store.access import Access
from evalbox.store.events import add_event
from evalbox.store.rows import EVALUATION, evaluation_from
from evalbox.store.sqlite import Connection

# The class below has a method called list.
Found = list[Evaluation]

_CANDIDATES = 10
_HINT = "list them with: evalbox ls"


class Evaluations(Access):
    async def get(self, evaluation_id: str) -> Evaluation:
        """Raises ``EvaluationNotFound``."""
        return (await self._read(lambda conn: load(conn, [evaluation_id])))[0]

    async def resolve(self, reference: str) -> str:
        """The full id that a full id, or a beginning of one or of a short form, stands for.

        Raises ``EvaluationNotFound`` and ``AmbiguousId``.
        """
        text = reference.strip().lower()
        found: Sequence[str] = ()
        if is_reference(text):
            found = await self._read(lambda conn: _matches(conn, text))
        if not found:
            raise EvaluationNotFound(f"no evaluation {reference!r}", hint=_HINT)
        if len(found) > 1:
            raise AmbiguousId(
                f"several evaluations begin with {reference!r}",
                candidates=tuple(found),
                hint="type more of the id",
            )
        return found[0]

    async def count_by_state(self) -> dict[State, int]:
        """How many evaluations are in each state; every state is there."""
        query = "SELECT state, count(*) FROM evaluations GROUP BY state"
        rows = await self._read(lambda conn: conn.execute(query).fetchall())
        return dict.fromkeys(State, 0) | {State(state): count for state, count in rows}

    async def request_cancel(self, ids: Iterable[str], now: float) -> Found:
        """Cancels what is queued and asks for it where an attempt is under way; all or none.

        Raises ``EvaluationNotFound``, and ``InvalidTransition`` where some have ended.
        """
        wanted = tuple(dict.fromkeys(ids))

        def work(conn: Connection) -> Found:
            found = [standing(conn, identifier) for identifier in wanted]
            refuse(
                [one for one in found if not may_become(one.state, State.CANCELLED)],
                "cancelled",
                hint="what has ended cannot be cancelled; nothing was changed",
            )
            for one in found:
                _cancel(conn, one, now)
            return load(conn, wanted)

        return await self._write(work)

    async def retry(self, ids: Iterable[str], now: float) -> Found:
        """Queues evaluations that have ended, with a fresh retry budget; all or none.

        Raises ``EvaluationNotFound``, and ``InvalidTransition`` where some have not ended.
        """
        wanted = tuple(dict.fromkeys(ids))

        def work(conn: Connection) -> Found:
            found = [standing(conn, identifier) for identifier in wanted]
            refuse(
                [one for one in found if one.state not in FINAL],
                "tried again",
                hint="wait for the end, or cancel first; nothing was changed",
            )
            for one in found:
                _queue_again(conn, one, now)
            return load(conn, wanted)

        return await self._write(work)

    async def list(
        self,
        filter: EvaluationFilter | None = None,  # noqa: A002 - the word that users know it by
        *,
        limit: int,
        after: str | None = None,
        newest_first: bool = True,
    ) -> Found:
        """A page of evaluations by age. ``after`` is the id of the last one of the page before."""
        query, values = _list_query(filter or EvaluationFilter(), limit, after, newest_first)
        rows = await self._read(lambda conn: conn.execute(query, values).fetchall())
        return [evaluation_from(row) for row in rows]


@dataclass(frozen=True, slots=True)
class Standing:
    """As much of an evaluation as decides what may be done with it."""

    id: str
    state: State
    attempts: int
    batch: str | None
    cancel_requested: bool


def standing(conn: Connection, evaluation_id: str) -> Standing:
    """Raises ``EvaluationNotFound``."""
    row = conn.execute(
        "SELECT state, attempts, batch, cancel_requested FROM evaluations WHERE id = ?",
        (evaluation_id,),
    ).fetchone()
    if row is None:
        raise EvaluationNotFound(f"no evaluation {evaluation_id}", hint=_HINT)
    return Standing(evaluation_id, State(row[0]), row[1], row[2], bool(row[3]))


def refuse(standings: Sequence[Standing], done: str, *, hint: str) -> None:
    """Raises ``InvalidTransition`` that names all of ``standings``, if there are any."""
    if not standings:
        return
    names = [f"{short(one.id)} ({one.state})" for one in standings[:_CANDIDATES]]
    more = len(standings) - len(names)
    listed = ", ".join(names) + (f" and {more} more" if more else "")
    raise InvalidTransition(f"cannot be {done}: {listed}", hint=hint)


def _cancel(conn: Connection, one: Standing, now: float) -> None:
    if one.state in ACTIVE:
        if one.cancel_requested:
            return
        conn.execute(
            "UPDATE evaluations SET cancel_requested = 1, updated_at = ? WHERE id = ?",
            (now, one.id),
        )
        kind = "evaluation.cancel_requested"
    else:
        conn.execute(
            "UPDATE evaluations SET state = 'cancelled', ready = 0, not_before = NULL,"
            " outcome = 'cancelled', exit_code = NULL, reason = 'cancelled while queued',"
            " error = '', score_kind = NULL, score = NULL, score_reason = '',"
            " cancel_requested = 1, finished_at = ?, updated_at = ? WHERE id = ?",
            (now, now, one.id),
        )
        kind = "evaluation.cancelled"
    add_event(
        conn,
        kind,
        now,
        evaluation_id=one.id,
        attempt=one.attempts or None,
        batch=one.batch,
        data={"outcome": Outcome.CANCELLED} if kind == "evaluation.cancelled" else None,
    )


def _queue_again(conn: Connection, one: Standing, now: float) -> None:
    conn.execute(
        "UPDATE evaluations SET state = 'queued', ready = 1, not_before = NULL, failures = 0,"
        " infra_failures = 0, cancel_requested = 0, started_at = NULL, finished_at = NULL,"
        " respent = spent, updated_at = ? WHERE id = ?",
        (now, one.id),
    )
    add_event(
        conn,
        "evaluation.queued",
        now,
        evaluation_id=one.id,
        batch=one.batch,
        data={"reason": "asked to try again"},
    )


def load(conn: Connection, ids: Iterable[str]) -> Found:
    """In the order of ``ids``. Raises ``EvaluationNotFound``."""
    query = f"SELECT {EVALUATION} FROM evaluations WHERE id = ?"
    found = []
    for identifier in ids:
        row = conn.execute(query, (identifier,)).fetchone()
        if row is None:
            raise EvaluationNotFound(f"no evaluation {identifier}", hint=_HINT)
        found.append(evaluation_from(row))
    return found


def _matches(conn: Connection, text: str) -> Sequence[str]:
    # The alphabet of ids ends before "~".
    rows = conn.execute(
        "SELECT id FROM evaluations WHERE short >= :low AND short < :high"
        " UNION SELECT id FROM evaluations WHERE id >= :low AND id < :high LIMIT :limit",
        {"low": text, "high": text + "~", "limit": _CANDIDATES},
    ).fetchall()
    return tuple(row[0] for row in rows)


def _list_query(
    wanted: EvaluationFilter, limit: int, after: str | None, newest_first: bool
) -> tuple[str, Sequence[Any]]:
    where: list[str] = []
    values: list[Any] = []

    def need(condition: str, *bound: Any) -> None:
        where.append(condition)
        values.extend(bound)

    # A plus keeps a condition from choosing the index. One value of one column gives rows in the
    # order of ids; all else would have every match sorted for the sake of one page.
    index = _index(wanted)
    for column, allowed in (
        ("state", wanted.states),
        ("outcome", wanted.outcomes),
        ("score_kind", wanted.scores),
    ):
        if allowed:
            plus = "" if column == index else "+"
            need(f"{plus}{column} IN ({', '.join('?' for _ in allowed)})", *allowed)
    for column in ("batch", "engine", "priority"):
        if (value := getattr(wanted, column)) is not None:
            need(f"{column} = ?", value)
    if wanted.name is not None:
        need("name GLOB ?", wanted.name)
    for key, value in wanted.labels.items():
        need("id IN (SELECT evaluation_id FROM labels WHERE key = ? AND value = ?)", key, value)
    if wanted.created_after is not None:
        need("created_at >= ?", wanted.created_after)
    if wanted.created_before is not None:
        need("created_at < ?", wanted.created_before)
    if after is not None:
        need("id < ?" if newest_first else "id > ?", after)
    condition = f"WHERE {' AND '.join(where)}" if where else ""
    order = "DESC" if newest_first else "ASC"
    return (
        f"SELECT {EVALUATION} FROM evaluations {condition} ORDER BY id {order} LIMIT ?",
        (*values, limit),
    )


def _index(wanted: EvaluationFilter) -> str:
    """The column whose index serves a list best; empty where that is to walk all by id."""
    if wanted.batch is not None:
        return "batch"
    if len(wanted.outcomes) + len(wanted.states) != 1:
        return ""
    return "outcome" if wanted.outcomes else "state"
