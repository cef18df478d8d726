"""What a batch found: tasks x agents, each tried in some number of epochs."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from evalbox.domain.comparison import number_of, passed
from evalbox.domain.evaluation import AGENT, Evaluation
from evalbox.domain.outcome import Outcome
from evalbox.domain.reducers import Reducer, clustered_error, mean, pass_all, pass_at
from evalbox.domain.score import ScoreKind
from evalbox.domain.state import FINAL, State
from evalbox.domain.statistics import Rated

EPOCH = "epoch"
#: The label of the score from which on an evaluation passes.
THRESHOLD = "pass_score"


@dataclass(frozen=True)
class Cell(Rated):
    """Some of the evaluations, in the order in which they were begun.

    Those pass that are scored ``least`` or more; None for what the label of each says, or else
    whatever ended well.
    """

    items: tuple[Evaluation, ...]
    least: float | None = None

    @cached_property
    def verdicts(self) -> tuple[bool, ...]:
        return tuple(
            found for item in self.items if (found := verdict(item, self.least)) is not None
        )

    @cached_property
    def scores(self) -> tuple[float, ...]:
        return tuple(found for item in self.items if (found := number_of(item)) is not None)

    @property
    def judged(self) -> int:
        return len(self.verdicts)

    @property
    def passed(self) -> int:
        return sum(self.verdicts)

    @cached_property
    def ended(self) -> int:
        return sum(item.state in FINAL for item in self.items)

    @cached_property
    def lost(self) -> int:
        """Cancelled, lost to the box, or broken by the task itself."""
        return sum(
            item.state in (State.CANCELLED, State.DEAD) or item.outcome is Outcome.TASK_ERROR
            for item in self.items
            if item.state in FINAL
        )

    @cached_property
    def unsettled(self) -> int:
        """Ended with a score that is invalid, or left to a person."""
        return sum(
            item.state in FINAL
            and item.score is not None
            and item.score.kind is not ScoreKind.NUMBER
            for item in self.items
        )

    @cached_property
    def outcomes(self) -> Counter[str]:
        return Counter(str(item.outcome or item.state) for item in self.items)

    @cached_property
    def seconds(self) -> float:
        """What the last attempts took, together."""
        return math.fsum(elapsed(item) or 0.0 for item in self.items)

    @cached_property
    def retries(self) -> int:
        return sum(max(0, item.attempts - 1) for item in self.items)


@dataclass(frozen=True)
class Line(Cell):
    """All of an agent. ``error`` is the standard error of ``score``, ``rate_error`` of the pass
    rate, both clustered by task. ``any_of`` and ``all_of`` are pass@k and pass^k, each the mean of
    the tasks; None where k is 1 or none has as many verdicts.
    """

    agent: str = ""
    score: float | None = None
    error: float | None = None
    rate_error: float | None = None
    any_of: float | None = None
    all_of: float | None = None


@dataclass(frozen=True)
class Experiment:
    """``cells`` are by task and agent, where there are any. ``older`` counts the evaluations that
    were passed over, as a later one is the same task, agent and epoch.
    """

    name: str
    tasks: tuple[str, ...]
    agents: tuple[str, ...]
    cells: Mapping[tuple[str, str], Cell]
    lines: tuple[Line, ...]
    all: Line
    k: int
    reducer: Reducer
    older: int = 0

    @property
    def items(self) -> tuple[Evaluation, ...]:
        return self.all.items


def elapsed(item: Evaluation) -> float | None:
    """Seconds that its last attempt took; None where it has not ended."""
    if item.started_at is None or item.finished_at is None:
        return None
    return max(0.0, item.finished_at - item.started_at)


def verdict(item: Evaluation, least: float | None) -> bool | None:
    """As ``passed`` tells, but that a score below ``least`` is no pass."""
    found, score = passed(item), number_of(item)
    if least is None:
        least = _labelled(item)
    return found if score is None or least is None else found and score >= least


def experiment(
    name: str,
    items: Sequence[Evaluation],
    *,
    k: int | None = None,
    reducer: Reducer = Reducer.MEAN,
    least: float | None = None,
) -> Experiment:
    """``k`` is that of pass@k; None for the smallest number of verdicts that any task has.

    ``least`` is the score from which on an evaluation passes, as ``Cell`` has it.
    """
    chosen = newest(items)
    cells: dict[tuple[str, str], list[Evaluation]] = {}
    for item in chosen:
        cells.setdefault((item.spec.name, agent_of(item)), []).append(item)
    found = {key: Cell(tuple(held), least) for key, held in sorted(cells.items())}
    if k is None:
        k = min((cell.judged for cell in found.values() if cell.judged), default=1)
    agents = tuple(sorted({agent for _, agent in found}))
    return Experiment(
        name=name,
        tasks=tuple(sorted({task for task, _ in found})),
        agents=agents,
        cells=found,
        lines=tuple(
            _line(agent, {key: cell for key, cell in found.items() if key[1] == agent}, k, reducer)
            for agent in agents
        ),
        all=_line("", found, k, reducer),
        k=k,
        reducer=reducer,
        older=len(items) - len(chosen),
    )


def agent_of(item: Evaluation) -> str:
    return item.spec.labels.get(AGENT, "")


def newest(items: Sequence[Evaluation]) -> list[Evaluation]:
    """Of those of one task, agent and epoch the newest; the oldest of all first."""
    found: dict[object, Evaluation] = {}
    for item in sorted(items, key=lambda item: item.id):
        epoch = item.spec.labels.get(EPOCH)
        key = item.id if epoch is None else (item.spec.name, agent_of(item), epoch)
        found.pop(key, None)
        found[key] = item
    return list(found.values())


def _line(agent: str, cells: Mapping[tuple[str, str], Cell], k: int, reducer: Reducer) -> Line:
    score, error = _score(cells, reducer)
    return Line(
        items=tuple(sorted((one for cell in cells.values() for one in cell.items), key=_age)),
        least=next((cell.least for cell in cells.values()), None),
        agent=agent,
        score=score,
        error=error,
        rate_error=clustered_error(_by_task(cells, lambda cell: tuple(map(float, cell.verdicts)))),
        any_of=_of_tasks(pass_at, k, cells),
        all_of=_of_tasks(pass_all, k, cells),
    )


def _score(
    cells: Mapping[tuple[str, str], Cell], reducer: Reducer
) -> tuple[float | None, float | None]:
    """The mean of all scores; or, where another reducer makes one of a task's, of those."""

    def values(cell: Cell) -> tuple[float, ...]:
        if reducer is Reducer.MEAN:
            return cell.scores
        one = reducer.reduce(cell.scores)
        return () if one is None else (one,)

    clusters = _by_task(cells, values)
    every = [value for held in clusters.values() for value in held]
    return (mean(every) if every else None), clustered_error(clusters)


def _by_task(
    cells: Mapping[tuple[str, str], Cell], values: Callable[[Cell], Sequence[float]]
) -> dict[str, list[float]]:
    found: dict[str, list[float]] = {}
    for (task, _), cell in cells.items():
        found.setdefault(task, []).extend(values(cell))
    return found


def _of_tasks(
    estimate: Callable[[int, int, int], float | None],
    k: int,
    cells: Mapping[tuple[str, str], Cell],
) -> float | None:
    if k < 2:
        return None
    found = [estimate(k, cell.passed, cell.judged) for cell in cells.values()]
    known = [value for value in found if value is not None]
    return mean(known) if known else None


def _labelled(item: Evaluation) -> float | None:
    try:
        value = float(item.spec.labels.get(THRESHOLD, "nan"))
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def _age(item: Evaluation) -> str:
    return item.id
