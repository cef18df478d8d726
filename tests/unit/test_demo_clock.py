"""The clock of the demo: behind, hurrying, never going back, and in the end on time."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalbox.demo.clock import HurryingClock
from evalbox.domain.clock import ManualClock


@given(
    st.floats(1, 100_000),
    st.floats(2, 5_000),
    st.lists(st.floats(0, 50), min_size=1, max_size=20),
)
def test_it_never_goes_back_and_catches_up(behind: float, pace: float, steps: list[float]) -> None:
    real = ManualClock()
    clock = HurryingClock(real, behind=behind, pace=pace)
    assert clock.behind == pytest.approx(behind)
    last = clock.now()
    for step in steps:
        real.advance(step)
        assert clock.now() >= last
        assert clock.now() <= real.now()
        last = clock.now()
    real.advance(behind)
    assert clock.behind == 0.0
    assert clock.now() == real.now()
    assert clock.monotonic() == real.monotonic()


@given(st.floats(1, 10_000), st.floats(2, 2_000), st.floats(0, 20), st.floats(0, 20_000))
def test_what_a_wait_takes_is_what_passes(
    behind: float, pace: float, elapsed: float, wait: float
) -> None:
    real = ManualClock()
    clock = HurryingClock(real, behind=behind, pace=pace)
    real.advance(elapsed)
    before = clock.monotonic()
    real.advance(clock.takes(wait))
    assert clock.monotonic() - before == pytest.approx(wait, abs=1e-3, rel=1e-6)
