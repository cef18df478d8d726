"""What failed, in groups: those that ended the same way, for the same cause."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from heapq import nsmallest

from evalbox.domain.outcome import Outcome
from evalbox.domain.state import State
from evalbox.tui.model.row import Row

#: Stretches of time that the failures are counted in, names that a group keeps, and groups.
STRETCHES, NAMES, MOST = 24, 12, 1000
_FAILED = frozenset({State.FAILED, State.DEAD})
#: Those of which the job itself knows best what went wrong.
_TOLD = frozenset({Outcome.FAILED, Outcome.TASK_ERROR})
#: Characters of a cause that count.
_LONGEST = 240

_VARYING = re.compile(
    # A status that is told as such is what it is about, and so is E0308 or TS2304.
    r"(?P<kept>\b(?:exit (?:status|code)|status|code|signal|errno|http(?:/[\d.]+)?)[ =:]+\d+"
    r"|(?-i:\b[A-Z]{1,4}\d{2,5}\b))"
    r"|(?P<path>(?:[\w.@+~-]*/){2,}(?P<last>[\w.@+~-]*))"
    r"|\b0x[0-9a-f]+\b"
    r"|\b(?=[0-9a-f-]*\d)(?=[0-9a-f-]*[a-f])[0-9a-f]{4,}(?:-[0-9a-f]{4,})*\b"
    r"|\d+(?:[.,:]\d+)*",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Group:
    """``cause`` has ``#`` for numbers and ``*`` for directories where its members differ in them.

    ``share`` is of all that failed, from 0 to 1. Times are seconds since 1970. ``tasks`` and
    ``agents`` are the most frequent, ``task_count`` and ``agent_count`` say how many there are.
    ``times`` counts them in ``STRETCHES`` between the first failure of all and the last. The
    ``members`` may have been queued again meanwhile.
    """

    outcome: Outcome
    like: str
    cause: str
    count: int
    dead: int
    share: float
    oldest: float
    newest: float
    tasks: tuple[tuple[str, int], ...]
    task_count: int
    agents: tuple[tuple[str, int], ...]
    agent_count: int
    times: tuple[int, ...]
    members: tuple[Row, ...] = field(compare=False, repr=False)

    @property
    def key(self) -> str:
        return f"{self.outcome}\n{self.like}"

    def holds(self, row: Row) -> bool:
        return failed(row) and outcome_of(row) is self.outcome and alike(cause(row)) == self.like


def failed(row: Row) -> bool:
    """It ended, and neither well nor by a user's wish."""
    return row.state in _FAILED


def outcome_of(row: Row) -> Outcome:
    return row.outcome or Outcome.INFRA_ERROR


def cause(row: Row) -> str:
    """The line of its output that tells most, or why evalbox says that it ended.

    Where evalbox ended it, that comes first: what it printed last is as it happened to be.
    """
    own, printed = row.reason, row.error
    return ((printed or own) if row.outcome in _TOLD else (own or printed))[:_LONGEST]


@lru_cache(maxsize=16384)
def alike(text: str) -> str:
    """``text`` without what differs from one run to the next: numbers, addresses, directories."""
    return _VARYING.sub(_general, text)


def _general(match: re.Match[str]) -> str:
    if match["kept"]:
        return match["kept"]
    if match["path"]:
        return f"*/{alike(match['last'])}" if match["last"] else "*/"
    return "#"


@dataclass(slots=True)
class _Members:
    """What is known of a group while it is gathered."""

    outcome: Outcome
    like: str
    cause: str
    same: bool = True
    dead: int = 0
    rows: list[Row] = field(default_factory=list)
    times: list[float] = field(default_factory=list)
    tasks: Counter[str] = field(default_factory=Counter)
    agents: Counter[str] = field(default_factory=Counter)

    def add(self, row: Row, text: str) -> None:
        self.same = self.same and text == self.cause
        self.dead += row.state is State.DEAD
        self.rows.append(row)
        self.times.append(row.finished_at or row.changed_at)
        self.tasks[row.name] += 1
        if row.agent:
            self.agents[row.agent] += 1


def groups(rows: Iterable[Row]) -> list[Group]:
    """The ``MOST`` greatest groups among ``rows``, the greatest first, then the newest."""
    found: dict[tuple[Outcome, str], _Members] = {}
    for row in rows:
        if row.state not in _FAILED:
            continue
        outcome, text = outcome_of(row), cause(row)
        key = (outcome, alike(text))
        members = found.get(key)
        if members is None:
            members = found[key] = _Members(outcome, key[1], text)
        members.add(row, text)
    total = sum(len(members.times) for members in found.values())
    first = min((min(members.times) for members in found.values()), default=0.0)
    last = max((max(members.times) for members in found.values()), default=0.0)
    greatest = nsmallest(MOST, found.values(), key=lambda one: (-len(one.times), -max(one.times)))
    return [_group(members, total, first, last) for members in greatest]


def _group(members: _Members, total: int, first: float, last: float) -> Group:
    count = len(members.times)
    return Group(
        outcome=members.outcome,
        like=members.like,
        cause=members.cause if members.same else members.like,
        count=count,
        dead=members.dead,
        share=count / total,
        oldest=min(members.times),
        newest=max(members.times),
        tasks=_frequent(members.tasks),
        task_count=len(members.tasks),
        agents=_frequent(members.agents),
        agent_count=len(members.agents),
        times=_stretches(members.times, first, last),
        members=tuple(members.rows),
    )


def _frequent(names: Counter[str]) -> tuple[tuple[str, int], ...]:
    return tuple(nsmallest(NAMES, names.items(), key=lambda one: (-one[1], one[0])))


def _stretches(times: Sequence[float], first: float, last: float) -> tuple[int, ...]:
    counts = [0] * STRETCHES
    scale = STRETCHES / max(last - first, 1.0)
    for at in times:
        counts[min(STRETCHES - 1, int((at - first) * scale))] += 1
    return tuple(counts)
