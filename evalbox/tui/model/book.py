"""All evaluations that are known here, newest first, kept true by the box's events."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from evalbox.domain.evaluation import Evaluation, Priority
from evalbox.domain.event import Event
from evalbox.domain.outcome import Outcome
from evalbox.domain.score import Score, ScoreKind
from evalbox.domain.state import ACTIVE, FINAL, State
from evalbox.tui.model.row import Course, Origin, Row, fill, row_of, shared, slim

_PREFIX = "evaluation."
_STATES = {f"{_PREFIX}{state}": state for state in State}


class Book:
    """``rows`` is newest first. ``version`` grows with every change to it or to a row.

    ``shape`` grows when rows come or go, and when one begins or ends to be under way. ``complete``
    says whether all of the history has been read. ``seq`` is the newest event taken in;
    ``strangers`` are those whose event came before the rest was known, for who keeps the book to
    ask for. ``retried``, ``scored``, ``led`` and ``troubled`` count those with more than one
    attempt, a score, an agent, and troubles.
    """

    def __init__(self) -> None:
        self.rows: list[Row] = []
        self.states: Counter[State] = Counter()
        self.retried = 0
        self.scored = 0
        self.led = 0
        self.troubled = 0
        self.complete = False
        self.version = 0
        self.shape = 0
        self.seq = 0
        self.strangers: set[str] = set()
        self._under_way: dict[str, Row] = {}

    def __len__(self) -> int:
        return len(self.rows)

    def get(self, evaluation_id: str) -> Row | None:
        # A dict of a hundred thousand would cost more memory than this costs time.
        place = self._place(evaluation_id)
        row = self.rows[place] if place < len(self.rows) else None
        return row if row is not None and row.id == evaluation_id else None

    def ordered(self) -> list[Row]:
        """Those under way, then all others; the newest of them first."""
        rows = sorted(self._under_way.values(), key=lambda row: row.id, reverse=True)
        begin = 0
        for row in tuple(rows):
            place = self._place(row.id)
            rows += self.rows[begin:place]
            begin = place + 1
        rows += self.rows[begin:]
        return rows

    @property
    def active(self) -> int:
        return sum(self.states[state] for state in ACTIVE)

    def learn(self, items: Iterable[Evaluation]) -> None:
        """Takes in what the box knows of evaluations, be they new here or not."""
        for item in items:
            row = self.get(item.id)
            if row is None:
                self._add(row_of(item))
            elif not row.known or item.updated_at >= row.changed_at:
                before = row.active
                self._forget_counts(row)
                fill(row, item)
                self._count(row)
                self.shape += row.active is not before
            self.strangers.discard(item.id)
        self.version += 1

    def fold(self, event: Event) -> None:
        """Takes in what happened. Events may come that the rows already know of."""
        self.seq = max(self.seq, event.seq)
        evaluation_id = event.evaluation_id
        if evaluation_id is None or not event.kind.startswith(_PREFIX):
            return
        self.version += 1
        if event.kind == "evaluation.removed":
            self._remove(evaluation_id)
            return
        row = self.get(evaluation_id)
        if row is None:
            row = self._meet(evaluation_id, event)
        elif event.at < row.changed_at:
            return
        before = row.active
        self._forget_counts(row)
        _apply(row, event)
        self._count(row)
        self.shape += row.active is not before

    def _meet(self, evaluation_id: str, event: Event) -> Row:
        row = Row(
            evaluation_id,
            name=str(event.data.get("name", "")),
            created_at=event.at,
            origin=shared(Origin(batch=event.batch or "")),
        )
        self.strangers.add(evaluation_id)
        self._add(row)
        return row

    def _add(self, row: Row) -> None:
        self.rows.insert(self._place(row.id), row)
        self.shape += 1
        self._count(row)

    def _remove(self, evaluation_id: str) -> None:
        row = self.get(evaluation_id)
        self.strangers.discard(evaluation_id)
        if row is not None:
            del self.rows[self._place(row.id)]
            self.shape += 1
            self._forget_counts(row)

    def _place(self, evaluation_id: str) -> int:
        """Where it is, or would be, in the list."""
        rows = self.rows
        # The two ends are where nearly all are put.
        if not rows or evaluation_id >= rows[0].id:
            return 0
        if evaluation_id <= rows[-1].id:
            return len(rows) - (evaluation_id == rows[-1].id)
        return bisect_left(rows, _descending(evaluation_id), key=lambda row: _descending(row.id))

    def _count(self, row: Row) -> None:
        self._tally(row, 1)

    def _forget_counts(self, row: Row) -> None:
        self._tally(row, -1)

    def _tally(self, row: Row, by: int) -> None:
        self.states[row.state] += by
        if row.active:
            self._attend(row, by)
        self.retried += by * (row.attempts > 1)
        self.scored += by * (row.score is not None)
        self.led += by * bool(row.agent)
        self.troubled += by * (row.troubles > 0)

    def _attend(self, row: Row, by: int) -> None:
        if by > 0:
            self._under_way[row.id] = row
        else:
            del self._under_way[row.id]


class _descending(str):  # noqa: N801 - used as the function that it nearly is
    """Text that sorts the other way round."""

    __slots__ = ()

    def __lt__(self, other: str) -> bool:
        return str.__gt__(self, other)


def _apply(row: Row, event: Event) -> None:
    # What a page has told of already is not to be counted again.
    new = event.at > row.changed_at
    row.changed_at = event.at
    if event.kind == "evaluation.cancel_requested":
        row.cancelling = True
        return
    if event.kind == "evaluation.prioritized":
        priority = Priority[str(event.data["priority"]).upper()]
        row.origin = shared(replace(row.origin, priority=int(priority)))
        return
    if event.kind == "evaluation.scored":
        row.course = shared(replace(row.course, score=_score(event.data["score"])))
        return
    state = _STATES.get(event.kind)
    if state is None:
        return
    data = event.data
    row.state = state
    if state is State.RUNNING:
        row.started_at = event.at
    elif state is State.QUEUED:
        _queue_again(row, event)
    elif state in FINAL:
        row.finished_at = event.at
        row.cancelling = False
    attempts = max(row.attempts, event.attempt or 0)
    if (outcome := data.get("outcome")) is None:
        row.course = shared(replace(row.course, attempts=attempts))
    else:
        row.course = shared(_ended(row, Outcome(outcome), attempts, data, new=new))


def _ended(
    row: Row, outcome: Outcome, attempts: int, data: Mapping[str, Any], *, new: bool
) -> Course:
    return Course(
        attempts,
        row.troubles + (new and outcome is Outcome.INFRA_ERROR),
        outcome,
        data.get("exit_code"),
        str(data.get("reason") or ""),
        str(data.get("error") or ""),
        _score(data.get("score")),
    )


def _score(told: Mapping[str, object] | None) -> Score | None:
    if not told:
        return None
    value = told.get("value")
    number = float(value) if isinstance(value, int | float) else None
    return slim(ScoreKind(str(told["kind"])), number)


def _queue_again(row: Row, event: Event) -> None:
    row.finished_at = None
    row.cancelling = False
    if event.data.get("outcome") is None:
        # By a user's wish, and not as the end of an attempt.
        row.started_at = None
