"""Finding evaluations, and what a user may do with one: cancel it, try it again."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from evalbox.domain.evaluation import Evaluation
from evalbox.domain.ids import is_reference, short
from evalbox.domain.outcome import Outcome
from evalbox.domain.records import EvaluationFilter
from evalbox.domain.state import ACTIVE, FINAL, State, may_become
from evalbox.errors import AmbiguousId, EvaluationNotFound, InvalidTransition
from evalbox.store.access import Access
from evalbox.store.events import add_event
from evalbox.store.listing import page
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
        wanted = filter or EvaluationFilter()
        return await self._read(lambda conn: page(conn, wanted, limit, after, newest_first))


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
