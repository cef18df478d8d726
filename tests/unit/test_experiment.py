"""What is told of a batch, and the page that tells it."""

from __future__ import annotations

import itertools
import json
from html.parser import HTMLParser
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalbox.domain.evaluation import Evaluation, EvaluationSpec
from evalbox.domain.experiment import THRESHOLD, experiment
from evalbox.domain.outcome import Outcome
from evalbox.domain.reducers import Reducer
from evalbox.domain.score import Score, ScoreKind
from evalbox.domain.state import State, final_state
from evalbox.export.experiment import page, plots, spreadsheet
from evalbox.wire import experiment as document

_number = itertools.count()


def one(
    task: str, agent: str = "a", outcome: Outcome | None = Outcome.OK, **other: Any
) -> Evaluation:
    score, labels = other.pop("score", None), {"agent": agent, **other.pop("labels", {})}
    if isinstance(score, float):
        score = Score(ScoreKind.NUMBER, score)
    state = State.RUNNING if outcome is None else final_state(outcome)
    spec = EvaluationSpec(task, ("true",), "image", labels=labels)
    times = {"started_at": 10.0, "finished_at": None if outcome is None else 12.0, **other}
    return Evaluation(
        f"{next(_number):022d}", spec, state, 1.0, 2.0, outcome=outcome, score=score, attempts=1,
        **times,
    )  # fmt: skip


def test_by_task_and_agent_and_by_agent() -> None:
    found = experiment("x", [
        one("t", "a", score=1.0), one("t", "a", Outcome.FAILED, score=0.0),
        one("u", "a", score=0.5),
        one("t", "b", Outcome.CANCELLED), one("t", "b", None),
        one("u", "b", score=Score(ScoreKind.MANUAL)), one("u", "b", Outcome.INFRA_ERROR),
    ])  # fmt: skip
    assert (found.tasks, found.agents) == (("t", "u"), ("a", "b"))
    first, second = found.lines
    assert (first.passed, first.judged, first.score) == (2, 3, 0.5)
    assert (second.judged, second.pass_rate, second.interval) == (0, None, None)
    assert (second.lost, second.unsettled, second.ended) == (2, 1, 3)
    assert found.cells["t", "a"].scores == (1.0, 0.0)
    assert (found.k, first.any_of) == (1, None)
    assert first.seconds == 6.0


def test_epochs_are_told_by_k() -> None:
    verdicts = [Outcome.OK, Outcome.FAILED, Outcome.FAILED, Outcome.OK]
    items = [one("t", outcome=outcome) for outcome in verdicts]
    found = experiment("x", [*items, one("few", outcome=Outcome.OK)], k=2)
    (line,) = found.lines
    # Of the task with enough of them alone.
    assert line.any_of == pytest.approx(5 / 6)
    assert line.all_of == pytest.approx(1 / 6)


def test_reducers_make_one_score_of_a_task() -> None:
    items = [one("t", score=score) for score in (0.0, 0.5, 1.0, 1.0)] + [one("u", score=0.0)]
    scores = {how: experiment("x", items, reducer=how).all.score for how in Reducer}
    assert scores == {Reducer.MEAN: 0.5, Reducer.MAX: 0.5, Reducer.MEDIAN: 0.375}


def test_the_newest_of_each_epoch_counts() -> None:
    old = one("t", outcome=Outcome.FAILED, labels={"epoch": "1"})
    new, other = one("t", labels={"epoch": "1"}), one("t", labels={"epoch": "2"})
    found = experiment("x", [new, old, other])
    assert (found.older, found.items) == (1, (new, other))
    # Without an epoch nothing says that they are the same work.
    assert experiment("x", [one("t"), one("t")]).older == 0


@pytest.mark.parametrize(
    ("label", "least", "passed"),
    [
        (None, None, 2),
        ("1", None, 1),
        (None, 0.9, 1),
        ("1", 0.1, 2),
        ("nan", None, 2),
        ("x", None, 2),
    ],
)
def test_from_which_score_on_it_passes(label: str | None, least: float | None, passed: int) -> None:
    labels = {} if label is None else {THRESHOLD: label}
    items = [
        one("t", score=1.0, labels=labels), one("t", score=0.5, labels=labels),
        one("t", outcome=Outcome.FAILED, score=1.0, labels=labels),
    ]  # fmt: skip
    found = experiment("x", items, least=least)
    assert (found.all.passed, found.all.judged) == (passed, 3)
    assert found.lines[0].passed == passed


class Strict(HTMLParser):
    """The elements that are there; what is open at the end is wrong."""

    _VOID = frozenset({"meta"})

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: set[str] = set()
        self.attributes: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.add(tag)
        self.attributes |= {name for name, _ in attrs}
        if tag not in self._VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.add(tag)
        self.attributes |= {name for name, _ in attrs}


_KNOWN = {
    "html", "head", "meta", "title", "style", "body", "h1", "h2", "p", "table", "tr", "th", "td",
    "span", "svg", "g", "line", "circle", "rect", "text",
}  # fmt: skip
_HOSTILE = st.text(
    st.characters(exclude_categories=["Cs"]) | st.sampled_from("<>&\"'\x1b\u202e\x00\n"),
    max_size=60,
)


@given(_HOSTILE, _HOSTILE, _HOSTILE, st.sampled_from([*Outcome, None]))
def test_no_words_of_others_become_a_part_of_the_page(
    task: str, agent: str, why: str, outcome: Outcome | None
) -> None:
    item = one(task, agent, outcome, score=0.5, labels={"epoch": why})
    parser = Strict()
    text = page.render(experiment(why, [item])).decode()
    parser.feed(text)
    parser.close()
    assert parser.open == []
    assert parser.seen <= _KNOWN
    assert not {name for name in parser.attributes if name.startswith(("on", "href", "src"))}
    assert "\x1b" not in text
    assert "\u202e" not in text


def test_a_page_of_many_tasks_is_made_in_time_and_bounded() -> None:
    items = [one(f"task {n % 6000}", "ab"[n % 2], score=float(n)) for n in range(12_000)]
    found = experiment("x", items)
    text = page.render(found).decode()
    assert "and 1,000 more" in text
    assert text.count("<rect") <= plots.MOST_SHOWN + 20
    json.dumps(document.experiment(found), allow_nan=False)
    assert spreadsheet.render(found).count(b"\r\n") == 6001


@pytest.mark.parametrize("scores", [[1.7e308, -1.7e308], [0.1], [5e-324, 0.0], [-3.0] * 4])
def test_a_histogram_of_any_scores(scores: list[float]) -> None:
    drawn = plots.histogram(scores)
    assert "nan" not in drawn
    assert "inf" not in drawn


def test_nothing_has_ended_yet() -> None:
    found = experiment("x", [one("t", outcome=None)])
    assert "have not ended" in page.render(found).decode()
    assert document.experiment(found)["overall"]["pass_rate"] is None
