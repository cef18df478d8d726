"""A page of evaluations: the query, led by the condition that fewest meet."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from evalbox.domain.evaluation import Evaluation
from evalbox.domain.records import EvaluationFilter
from evalbox.store.rows import EVALUATION, evaluation_from
from evalbox.store.sqlite import Connection

#: Conditions met by as many, or by more, are taken to be met by equally many.
_MANY = 1000


@dataclass(frozen=True, slots=True)
class _Condition:
    """What evaluations must meet.

    Where ``source`` is not empty the condition can lead: read from there, those who meet it come
    in the order of ``id``. ``check`` asks the same of an evaluation that was found otherwise.
    """

    check: str
    values: tuple[Any, ...]
    source: str = ""
    lead: str = ""
    id: str = "evaluations.id"


def page(
    conn: Connection, wanted: EvaluationFilter, limit: int, after: str | None, newest_first: bool
) -> list[Evaluation]:
    """At most ``limit`` by age; ``after`` is the id of the last one of the page before."""
    conditions = list(_conditions(wanted))
    lead = _lead(conn, [one for one in conditions if one.source])
    where, values = [], list[Any]()
    for one in conditions:
        where.append(one.lead if one is lead else one.check)
        values += one.values
    identity = lead.id if lead is not None else "evaluations.id"
    if after is not None:
        where.append(f"{identity} {'<' if newest_first else '>'} ?")
        values.append(after)
    rows = conn.execute(
        f"SELECT {EVALUATION} FROM {lead.source if lead is not None else 'evaluations'}"
        + (f" WHERE {' AND '.join(where)}" if where else "")
        + f" ORDER BY {identity} {'DESC' if newest_first else 'ASC'} LIMIT ?",
        (*values, limit),
    )
    return [evaluation_from(row) for row in rows.fetchall()]


def _conditions(wanted: EvaluationFilter) -> Iterator[_Condition]:
    # A plus keeps SQLite from an index that was not chosen here. Several values of one column do
    # not lead: their rows would all have to be sorted for the sake of one page.
    if wanted.batch is not None:
        yield _of_column("batch", [wanted.batch])
    for key, value in wanted.labels.items():
        yield _Condition(
            "EXISTS (SELECT 1 FROM labels AS other WHERE other.evaluation_id = evaluations.id"
            " AND other.key = ? AND other.value = ?)",
            (key, value),
            # A cross join is one whose order SQLite keeps.
            source="labels INDEXED BY labels_by_value"
            " CROSS JOIN evaluations ON evaluations.id = labels.evaluation_id",
            lead="labels.key = ? AND labels.value = ?",
            id="labels.evaluation_id",
        )
    if wanted.outcomes:
        yield _of_column("outcome", wanted.outcomes)
    if wanted.states:
        yield _of_column("state", wanted.states)
    if wanted.scores:
        yield _Condition(f"score_kind IN ({_marks(wanted.scores)})", tuple(wanted.scores))
    for column in ("engine", "priority"):
        if (value := getattr(wanted, column)) is not None:
            yield _Condition(f"{column} = ?", (value,))
    if wanted.name is not None:
        yield _Condition("name GLOB ?", (wanted.name,))
    if wanted.created_after is not None:
        yield _Condition("created_at >= ?", (wanted.created_after,))
    if wanted.created_before is not None:
        yield _Condition("created_at < ?", (wanted.created_before,))


def _of_column(column: str, allowed: Sequence[str] | frozenset[Any]) -> _Condition:
    """``evaluations_by_COLUMN`` is its index."""
    values = tuple(allowed)
    if len(values) > 1:
        return _Condition(f"+{column} IN ({_marks(values)})", values)
    return _Condition(
        f"+{column} = ?",
        values,
        source=f"evaluations INDEXED BY evaluations_by_{column}",
        lead=f"{column} = ?",
    )


def _lead(conn: Connection, candidates: Sequence[_Condition]) -> _Condition | None:
    if len(candidates) < 2:
        return candidates[0] if candidates else None
    counts = [_count(conn, one) for one in candidates]
    return candidates[counts.index(min(counts))]


def _count(conn: Connection, condition: _Condition) -> int:
    """How many meet it, at most ``_MANY``."""
    found = conn.execute(
        f"SELECT COUNT(*) FROM (SELECT 1 FROM {condition.source} WHERE {condition.lead} LIMIT ?)",
        (*condition.values, _MANY),
    )
    return int(found.fetchone()[0])


def _marks(values: Sequence[Any] | frozenset[Any]) -> str:
    return ", ".join("?" for _ in values)
