"""The demo: a real box, played in seconds."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from evalbox.demo.box import demo_box
from evalbox.domain.outcome import Outcome
from evalbox.domain.records import EvaluationFilter
from evalbox.domain.state import ACTIVE, State


async def test_it_has_a_past_of_every_kind_and_goes_on(tmp_path: Path) -> None:
    told: list[float] = []
    async with demo_box(tmp_path / "box", past=9_000.0, on_progress=told.append) as box:
        assert told == sorted(told)
        items = await box.list(EvaluationFilter(), limit=1_000)
        assert len({item.spec.name for item in items}) > 10
        assert len({item.spec.labels["agent"] for item in items}) == 3
        ended = [item for item in items if item.finished_at]
        assert len(ended) > 30
        outcomes = Counter(item.outcome for item in ended)
        assert outcomes[Outcome.OK] > 5
        assert outcomes[Outcome.FAILED] > 5
        # Their times are those of what was played, not of the seconds in which it was.
        assert max(item.finished_at - (item.started_at or 0) for item in ended) > 60
        states = (await box.queue()).states
        assert sum(states.get(state, 0) for state in ACTIVE) > 0
        assert len(await box.batches()) >= 2


async def test_a_pass_has_a_score_and_a_failure_a_line(tmp_path: Path) -> None:
    async with demo_box(tmp_path / "box", past=2_000.0) as box:
        items = await box.list(EvaluationFilter(states=frozenset({State.COMPLETED})), limit=50)
        assert items
        assert all(item.score is not None and item.score.value == 1.0 for item in items)
        failed = await box.list(EvaluationFilter(outcomes=frozenset({Outcome.FAILED})), limit=50)
        assert failed
        assert all(item.error for item in failed)
