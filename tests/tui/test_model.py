"""The book folds events and pages into the same truth, in whatever order they come."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalbox.domain.activity import Activity
from evalbox.domain.evaluation import Evaluation, EvaluationSpec
from evalbox.domain.event import Event
from evalbox.domain.ids import IdFactory
from evalbox.domain.limits import Limits
from evalbox.domain.outcome import Outcome
from evalbox.domain.score import Score, ScoreKind
from evalbox.domain.state import State
from evalbox.tui.model.book import Book
from evalbox.tui.model.query import parse
from evalbox.tui.model.row import row_of
from evalbox.tui.model.standing import Standing
from evalbox.tui.model.view import Order, View

NOW = 1_700_000_000.0
IDS = IdFactory()


def evaluation(
    name: str = "hello", state: State = State.QUEUED, at: float = NOW, **other: object
) -> Evaluation:
    spec = EvaluationSpec(
        name, ("true",), "image", engine="fake", batch="nightly", labels={"team": "red"}
    )
    item = Evaluation(IDS.new(at), spec, state, created_at=at, updated_at=at)
    return replace(item, **other)  # type: ignore[arg-type]


def event(seq: int, kind: str, evaluation_id: str, at: float = NOW, **other: object) -> Event:
    data = dict(other)
    attempt = data.pop("attempt", None)
    return Event(seq, at, f"evaluation.{kind}", evaluation_id, attempt, data, "nightly")  # type: ignore[arg-type]


def life(evaluation_id: str) -> list[Event]:
    """Two attempts: the engine fails the first, the second is done."""
    return [
        event(1, "queued", evaluation_id, NOW, name="hello"),
        event(2, "starting", evaluation_id, NOW + 1, attempt=1),
        event(
            3,
            "queued",
            evaluation_id,
            NOW + 2,
            attempt=1,
            outcome="infra_error",
            reason="no engine",
        ),
        event(4, "starting", evaluation_id, NOW + 3, attempt=2),
        event(5, "running", evaluation_id, NOW + 4, attempt=2),
        event(6, "scoring", evaluation_id, NOW + 8, attempt=2),
        event(7, "completed", evaluation_id, NOW + 9, attempt=2, outcome="ok", exit_code=0),
    ]


def test_a_life_of_events_makes_a_row() -> None:
    book = Book()
    one = IDS.new(NOW)
    for happened in life(one):
        book.fold(happened)
    row = book.get(one)
    assert row is not None
    assert (row.state, row.outcome, row.attempts) == (State.COMPLETED, Outcome.OK, 2)
    assert row.elapsed(NOW + 100) == 5.0
    assert book.seq == 7
    assert book.retried == 1
    assert book.states[State.COMPLETED] == 1
    assert book.states.total() == 1


@given(st.integers(0, 7))
def test_a_page_read_at_any_moment_and_the_events_around_it_agree(moment: int) -> None:
    one = IDS.new(NOW)
    events = life(one)
    alone, mixed = Book(), Book()
    for happened in events:
        alone.fold(happened)
    spec = EvaluationSpec("hello", ("true",), "image", engine="fake", batch="nightly")
    for place, happened in enumerate(events):
        if place == moment:
            # The page is of the end, and the feed has still to tell how it came to that.
            mixed.learn(
                [
                    Evaluation(
                        one, spec, State.COMPLETED, NOW, NOW + 9, attempts=2, outcome=Outcome.OK,
                        exit_code=0, started_at=NOW + 4, finished_at=NOW + 9,
                    )
                ]
            )  # fmt: skip
        mixed.fold(happened)
    expected, found = alone.get(one), mixed.get(one)
    assert expected is not None
    assert found is not None
    for name in ("state", "outcome", "attempts", "started_at", "finished_at", "exit_code"):
        assert getattr(found, name) == getattr(expected, name)
    assert mixed.states == alone.states


def test_rows_are_newest_first_however_they_come() -> None:
    items = [evaluation(at=NOW + place) for place in range(300)]
    shuffled = list(items)
    random.Random(1).shuffle(shuffled)
    book = Book()
    for item in shuffled:
        book.learn([item])
    assert [row.id for row in book.rows] == [item.id for item in reversed(items)]
    for item in items[::2]:
        book.fold(event(1, "removed", item.id))
    assert [row.id for row in book.rows] == [item.id for item in reversed(items[1::2])]
    assert book.states[State.QUEUED] == 150


def test_a_stranger_is_shown_at_once_and_asked_for() -> None:
    book = Book()
    item = evaluation("known later")
    book.fold(event(1, "queued", item.id, name="known later"))
    assert [row.name for row in book.rows] == ["known later"]
    assert book.strangers == {item.id}
    book.learn([item])
    assert not book.strangers
    assert book.rows[0].labels == "team=red"


def test_a_cancelled_one_says_so_until_it_ends() -> None:
    book = Book()
    item = evaluation(state=State.RUNNING)
    book.learn([item])
    book.fold(event(1, "cancel_requested", item.id, NOW + 1))
    assert book.rows[0].cancelling
    book.fold(event(2, "cancelled", item.id, NOW + 2, outcome="cancelled"))
    assert not book.rows[0].cancelling
    assert book.rows[0].state is State.CANCELLED


@pytest.mark.parametrize(
    ("text", "held"),
    [
        ("", True),
        ("hel", True),
        ("HEL", False),
        ("h.l+o", True),
        ("!hel", False),
        ("!fizz", True),
        ("state:run", True),
        ("!state:run", False),
        ("label:team=red", True),
        ("batch:night hello", True),
        ("batch:night fizz", False),
        ("priority:normal", True),
        ("nosuch:field", False),
        ("(", False),
        ("state:", True),
        ("agent:gpt", True),
        ("agent:claude", False),
        ("error:zero", True),
        ("score:0.75", True),
        ("score:>0.5", True),
        ("score:>=0.75", True),
        ("score:=0.75", True),
        ("score:<=.75", True),
        ("score:<7.5e-1", False),
        ("!score:>0.5", False),
        ("!score:>0.9", True),
        ("score:>", False),
        ("score:>x", False),
        ("tries:>2", True),
        ("name:>1", False),
        (">1", False),
    ],
)
def test_queries(text: str, held: bool) -> None:
    item = evaluation(
        state=State.RUNNING,
        attempts=3,
        error="division by zero",
        score=Score(ScoreKind.NUMBER, 0.75),
    )
    spec = replace(item.spec, labels=item.spec.labels | {"agent": "gpt-5"})
    assert parse(text).holds(row_of(replace(item, spec=spec))) is held


def test_what_has_no_number_is_not_compared() -> None:
    rows = [row_of(evaluation()), row_of(evaluation(score=Score(ScoreKind.MANUAL)))]
    for text in ("score:>0", "score:<0", "!score:>0"):
        assert not any(parse(text).holds(row) for row in rows)
    assert parse("score:manual").holds(rows[1])


def test_scores_errors_and_troubles_are_told_by_events() -> None:
    book = Book()
    item = evaluation()
    book.learn([item])
    book.fold(event(1, "starting", item.id, NOW + 1, attempt=1))
    book.fold(event(2, "queued", item.id, NOW + 2, attempt=1, outcome="infra_error"))
    assert (book.troubled, book.rows[0].troubles) == (1, 1)
    book.fold(
        event(
            3, "failed", item.id, NOW + 3, attempt=2, outcome="failed", error="ValueError: no",
            score={"kind": "number", "value": 0.5},
        )
    )  # fmt: skip
    row = book.rows[0]
    assert (row.error, row.score) == ("ValueError: no", Score(ScoreKind.NUMBER, 0.5))
    assert (book.scored, book.retried, book.led) == (1, 1, 0)
    # The page tells of the same again, and the feed of what the page knew.
    book.learn(
        [replace(item, state=State.FAILED, attempts=2, infra_failures=1, updated_at=NOW + 3)]
    )
    book.fold(event(2, "queued", item.id, NOW + 2, attempt=1, outcome="infra_error"))
    assert (book.troubled, row.troubles, book.scored) == (1, 1, 0)
    book.fold(event(4, "removed", item.id, NOW + 4))
    assert (book.troubled, book.retried, book.scored) == (0, 0, 0)


def test_what_attempts_are_at_is_known_by_their_evaluation() -> None:
    standing = Standing()
    standing.attend([])
    assert not standing.attended
    standing.attend([Activity("one", 1, "running", NOW, Limits())])
    assert standing.activity["one"].phase == "running"
    standing.attend([])
    # The columns stay, for what runs next.
    assert standing.attended
    assert not standing.activity


async def test_an_order_that_lives_is_made_anew_though_nothing_happens() -> None:
    book = Book()
    book.learn(evaluation(f"task {place}") for place in range(3))
    view = View(book, order=Order("elapsed", lambda row: 0, live=True))
    assert await view.renew()
    assert view.stale
    assert not view.due(0)
    assert view.due(1e12)


async def test_what_is_empty_does_not_wait() -> None:
    book = Book()
    view = View(book)
    assert await view.renew()
    book.learn([evaluation()])
    assert view.due(0)
    assert await view.renew()
    book.learn([evaluation()])
    assert not view.due(0)


def test_half_a_regular_expression_is_taken_literally_and_told() -> None:
    query = parse("(a")
    assert "(a" in query.problem
    assert query.holds(row_of(evaluation("what (a is")))


@given(st.text(max_size=40))
def test_no_query_fails(text: str) -> None:
    parse(text).holds(row_of(evaluation()))


async def test_views_choose_and_order() -> None:
    book = Book()
    states = [State.QUEUED, State.RUNNING, State.FAILED]
    book.learn(
        evaluation(f"task {place:03}", states[place % 3], NOW + place) for place in range(300)
    )
    whole = View(book)
    assert await whole.renew()
    # What is under way comes first, and all else as it was.
    under_way = [row for row in book.rows if row.active]
    assert whole.rows == under_way + [row for row in book.rows if not row.active]
    assert not whole.due(1e9)
    book.fold(event(1, "completed", book.rows[0].id, NOW + 999))
    assert not whole.due(1e9)
    book.fold(event(2, "removed", book.rows[0].id, NOW + 999))
    assert len(whole.rows) == 300
    assert whole.due(1e9)
    await whole.renew()
    assert len(whole.rows) == 299

    view = View(book, always=lambda row: row.state is State.RUNNING)
    assert view.due(0)
    assert await view.renew()
    assert [row.name for row in view.rows[:2]] == ["task 298", "task 295"]

    view.order = Order("task", lambda row: row.name)
    view.query = parse("task 0[0-9]1$")
    assert await view.renew()
    assert [row.name for row in view.rows] == ["task 001", "task 031", "task 061", "task 091"]
    assert not view.stale
    book.fold(event(1, "completed", view.rows[0].id, NOW + 999))
    assert view.stale
    await view.renew()
    assert len(view.rows) == 3


async def test_a_view_of_many_is_made_in_a_thread_and_is_the_same() -> None:
    book = Book()
    book.learn(evaluation(f"task {place:05}", at=NOW + place) for place in range(5000))
    view = View(book, order=Order("task", lambda row: row.name))
    view.query = parse("!7$")
    assert await view.renew()
    assert len(view.rows) == 4500
    assert view.rows[0].name == "task 00000"
