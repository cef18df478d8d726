"""Lanes: evaluations that are alike to the claim, by all that it looks at but their age."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from evalbox.domain.evaluation import EvaluationSpec
from evalbox.store.sqlite import Connection


@dataclass(frozen=True, slots=True)
class Lane:
    """``batch`` empty is none; ``memory`` in bytes."""

    priority: int
    batch: str
    engine: str
    cpus: float
    memory: int

    @classmethod
    def of(cls, spec: EvaluationSpec) -> Self:
        limits = spec.limits
        return cls(
            int(spec.priority), spec.batch or "", spec.engine, float(limits.cpus), limits.memory
        )


def lane_id(conn: Connection, lane: Lane) -> int:
    """The id of a lane, which is made where there is none such."""
    key = (lane.priority, lane.batch, lane.engine, lane.cpus, lane.memory)
    conn.execute(
        "INSERT INTO lanes (priority, batch, engine, cpus, memory) VALUES (?, ?, ?, ?, ?)"
        " ON CONFLICT DO NOTHING",
        key,
    )
    row = conn.execute(
        "SELECT id FROM lanes WHERE priority = ? AND batch = ? AND engine = ? AND cpus = ?"
        " AND memory = ?",
        key,
    ).fetchone()
    return int(row[0])
