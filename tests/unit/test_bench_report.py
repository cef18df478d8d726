"""How figures are shown and judged."""

from __future__ import annotations

import pytest

from evalbox.bench.report import Figure, Goal, table


@pytest.mark.parametrize(
    ("goal", "value", "met"),
    [
        (Goal("<=", 100), 100, True),
        (Goal("<=", 100), 100.1, False),
        (Goal(">=", 0.9), 0.9, True),
        (Goal(">=", 0.9), 0.89, False),
        (None, 5, None),
    ],
)
def test_goals(goal: Goal | None, value: float, met: bool | None) -> None:
    figure = Figure("x", value, "ms", 3, goal)
    assert figure.met is met
    assert figure.document()["met"] is met
    assert figure.document()["goal"] == (str(goal) if goal else None)


def test_the_table_is_aligned_and_says_what_was_missed() -> None:
    lines = table(
        [
            Figure("short", 12345.6, "/s", 3, Goal(">=", 3000)),
            Figure("a longer name", 0.123, "", 1, Goal(">=", 0.9)),
        ]
    ).splitlines()
    assert lines[0].split() == ["what", "value", "unit", "n", "goal"]
    assert "12,346" in lines[1]
    assert lines[1].endswith("met")
    assert lines[2].endswith("MISSED")
    assert lines[1].index("/s") == lines[0].index("unit")
