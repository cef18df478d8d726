"""The phases of an evaluation's attempts, in time."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from evalbox.domain.event import Event
from evalbox.domain.outcome import Outcome
from evalbox.domain.state import FINAL, State

_STATES = {f"evaluation.{state}": state for state in State}


@dataclass(frozen=True, slots=True)
class Phase:
    """``end`` is None while it lasts."""

    state: State
    begin: float
    end: float | None = None

    def seconds(self, now: float) -> float:
        return max(0.0, (now if self.end is None else self.end) - self.begin)


@dataclass(frozen=True, slots=True)
class Step:
    """A phase of the task's own, while it runs or is scored. ``end`` is None while it lasts."""

    name: str
    begin: float
    end: float | None = None

    def seconds(self, now: float) -> float:
        return max(0.0, (now if self.end is None else self.end) - self.begin)


@dataclass(frozen=True, slots=True)
class Track:
    """One attempt, with the waiting before it. ``outcome`` is None while it lasts.

    ``steps`` are the task's own, where a driver leads it.
    """

    number: int
    phases: Sequence[Phase]
    outcome: Outcome | None = None
    steps: Sequence[Step] = ()

    @property
    def begin(self) -> float:
        return self.phases[0].begin

    def end(self, now: float) -> float:
        last = self.phases[-1].end
        return now if last is None else last


def tracks(events: Iterable[Event]) -> list[Track]:
    """The events of one evaluation, oldest first, as a track for each attempt."""
    found: list[Track] = []
    phases: list[Phase] = []
    steps: list[Step] = []
    number = 1
    for event in events:
        if event.kind == "evaluation.phase":
            _end(steps, event.at)
            steps.append(Step(str(event.data.get("phase")), event.at))
        state = _STATES.get(event.kind)
        if state is None:
            continue
        if phases and phases[-1].end is None:
            phases[-1] = Phase(phases[-1].state, phases[-1].begin, event.at)
        number = event.attempt or number
        over = state in FINAL or (state is State.QUEUED and event.data.get("outcome"))
        if over and phases:
            outcome = event.data.get("outcome")
            _end(steps, event.at)
            found.append(
                Track(number, tuple(phases), Outcome(outcome) if outcome else None, tuple(steps))
            )
            phases, steps = [], []
        if state not in FINAL:
            phases.append(Phase(state, event.at))
    if phases:
        number = found[-1].number + 1 if found else number
        found.append(Track(number, tuple(phases), steps=tuple(steps)))
    return found


def _end(steps: list[Step], at: float) -> None:
    if steps and steps[-1].end is None:
        steps[-1] = replace(steps[-1], end=at)
