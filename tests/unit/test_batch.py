"""The figures of a batch."""

from __future__ import annotations

import pytest

from evalbox.domain.batch import RECENT, Batch
from evalbox.domain.outcome import Outcome
from evalbox.domain.state import State
from evalbox.domain.statistics import wilson


def test_an_empty_batch_says_nothing() -> None:
    batch = Batch("b", 0.0)
    assert (batch.total, batch.ended, batch.passed, batch.judged) == (0, 0, 0, 0)
    assert (batch.pass_rate, batch.interval, batch.throughput(9.0)) == (None, None, None)
    assert batch.eta(9.0) == 0.0


def test_what_counts_as_passed() -> None:
    states = {
        State.QUEUED: 5, State.RUNNING: 2, State.COMPLETED: 9, State.FAILED: 3,
        State.CANCELLED: 4, State.DEAD: 1,
    }  # fmt: skip
    batch = Batch("b", 0.0, states=states, unsettled=1)
    assert (batch.total, batch.ended, batch.passed, batch.judged) == (24, 17, 8, 11)
    assert batch.pass_rate == pytest.approx(8 / 11)
    assert batch.interval == wilson(8, 11)
    # Where the task itself broke, nothing is said of who attempted it.
    broken = Batch("b", 0.0, states=states, outcomes={Outcome.TASK_ERROR: 2, Outcome.FAILED: 1})
    assert (broken.passed, broken.judged) == (9, 10)


def test_the_pace_of_late() -> None:
    states = {State.QUEUED: 30, State.COMPLETED: 70}
    batch = Batch("b", 0.0, states=states, started_at=1000.0, recent=60)
    # Begun long ago: what ended in the last ten minutes; else, since its start.
    assert batch.throughput(1000.0 + 2 * RECENT) == pytest.approx(360.0)
    assert batch.eta(1000.0 + 2 * RECENT) == pytest.approx(300.0)
    assert batch.throughput(1100.0) == pytest.approx(60 / 100 * 3600)
    # A clock that was set back, and a batch that stands still.
    assert batch.throughput(900.0) is None
    still = Batch("b", 0.0, states=states, started_at=1000.0)
    assert (still.throughput(5000.0), still.eta(5000.0)) == (None, None)


def test_the_pace_of_a_finished_batch() -> None:
    states = {State.COMPLETED: 70, State.FAILED: 30}
    batch = Batch("b", 0.0, states=states, started_at=1000.0, finished_at=4600.0)
    assert batch.throughput(9e9) == pytest.approx(100.0)
    assert batch.eta(9e9) == 0.0


@pytest.mark.parametrize(
    ("passed", "total", "low", "high"),
    [(0, 0, 0.0, 1.0), (0, 10, 0.0, 0.2775), (5, 10, 0.2366, 0.7634), (81, 100, 0.7222, 0.8749)],
)
def test_wilson(passed: int, total: int, low: float, high: float) -> None:
    assert wilson(passed, total) == pytest.approx((low, high), abs=1e-4)
