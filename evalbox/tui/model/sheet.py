"""How the tasks and agents of one batch do, from its evaluations."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from evalbox.domain.score import ScoreKind
from evalbox.domain.state import State
from evalbox.tui.model.row import Row

#: Steps of the picture of scores.
STEPS = 10


@dataclass(frozen=True, slots=True)
class Tally:
    """``judged`` are those that passed or failed; ``total`` has those in it that neither did."""

    passed: int = 0
    judged: int = 0
    total: int = 0

    @property
    def rate(self) -> float | None:
        return self.passed / self.judged if self.judged else None

    def __add__(self, other: Tally) -> Tally:
        return Tally(
            self.passed + other.passed, self.judged + other.judged, self.total + other.total
        )


@dataclass(frozen=True, slots=True)
class Scores:
    """``counts`` of ``STEPS`` equal steps from ``low`` to ``high``."""

    low: float
    high: float
    counts: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Sheet:
    """``cells`` are by task and agent, which is empty where there is none; ``tasks`` by name,
    the ones that do worst first.
    """

    tasks: tuple[tuple[str, Tally], ...] = ()
    agents: tuple[tuple[str, Tally], ...] = ()
    cells: dict[tuple[str, str], Tally] | None = None
    scores: Scores | None = None

    def cell(self, task: str, agent: str) -> Tally:
        return (self.cells or {}).get((task, agent), Tally())


def sheet(rows: Iterable[Row]) -> Sheet:
    """Of the evaluations of one batch."""
    cells: dict[tuple[str, str], list[int]] = {}
    values: list[float] = []
    for row in rows:
        counts = cells.setdefault((row.name, row.agent), [0, 0, 0])
        counts[0] += passes(row)
        counts[1] += passes(row) or row.state is State.FAILED
        counts[2] += 1
        if row.score is not None and row.score.value is not None:
            values.append(row.score.value)
    made = {key: Tally(*counts) for key, counts in cells.items()}
    tasks: dict[str, Tally] = {}
    agents: dict[str, Tally] = {}
    for (task, agent), tally in made.items():
        tasks[task] = tasks.get(task, Tally()) + tally
        agents[agent] = agents.get(agent, Tally()) + tally
    return Sheet(
        tasks=tuple(sorted(tasks.items(), key=_worst)),
        agents=tuple(sorted(agents.items())),
        cells=made,
        scores=_scores(values) if values else None,
    )


def passes(row: Row) -> bool:
    """As a batch counts it: a score that is invalid, or left to a person, makes no pass."""
    settled = row.score is None or row.score.kind is ScoreKind.NUMBER
    return row.state is State.COMPLETED and settled


def _worst(one: tuple[str, Tally]) -> tuple[float, str]:
    rate = one[1].rate
    return (2.0 if rate is None else rate, one[0])


def _scores(values: Sequence[float]) -> Scores:
    low, high = min(values), max(values)
    counts = [0] * STEPS
    for value in values:
        # Halved, since the difference of two that are finite may not be.
        place = (value / 2 - low / 2) / (high / 2 - low / 2) if high > low else 0.0
        counts[min(STEPS - 1, int(place * STEPS))] += 1
    return Scores(low, high, tuple(counts))
