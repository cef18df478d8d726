"""Evaluations sorted into logs."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

from evalbox.domain.evaluation import Evaluation
from evalbox.domain.experiment import EPOCH
from evalbox.domain.state import FINAL
from evalbox.export.inspect_log.grouping import LogKey, harmless, log_of, sample_of
from evalbox.export.inspect_log.header import Entry, Plan
from evalbox.wire.moments import iso


@dataclass
class _Group:
    """``held`` are evaluations by the sample and the epoch that they say they are of."""

    created_at: float
    held: dict[tuple[str, str], str] = field(default_factory=dict)
    pending: int = 0

    def add(self, item: Evaluation) -> None:
        self.created_at = min(self.created_at, item.created_at)
        if item.state not in FINAL:
            self.pending += 1
            return
        # One that was asked for again, as the first was lost, stands for both.
        place = sample_of(item.spec), item.spec.labels.get(EPOCH, f" {item.id}")
        self.held[place] = max(self.held.get(place, ""), item.id)

    def entries(self) -> list[Entry]:
        """By epoch, which are numbered anew from 1, and sample, as Inspect sorts them."""
        seen: Counter[str] = Counter()
        made = []
        for (sample, _), evaluation in sorted(self.held.items(), key=_order):
            seen[sample] += 1
            made.append(Entry(evaluation, sample, seen[sample]))
        return sorted(made, key=lambda entry: (entry.epoch, entry.sample))


def _order(held: tuple[tuple[str, str], str]) -> tuple[str, int, str]:
    (sample, epoch), evaluation = held
    return sample, int(epoch) if epoch.isdecimal() and len(epoch) < 10 else 0, evaluation


async def plans(items: AsyncIterator[Evaluation]) -> list[Plan]:
    """Reads all of them, and keeps little of each."""
    groups: dict[LogKey, _Group] = {}
    async for item in items:
        groups.setdefault(log_of(item.spec), _Group(item.created_at)).add(item)
    return [
        Plan(key, group.created_at, group.entries(), group.pending)
        for key, group in sorted(groups.items())
    ]


def file_name(plan: Plan, suffix: str) -> str:
    """As Inspect names its own: when, the task, and which. ``_`` parts these three."""
    moment = iso(plan.created_at)[:19].replace(":", "-")
    task = harmless(plan.key.task).replace("_", "-")
    return f"{moment}+00-00_{task}_{plan.id}{suffix}"
