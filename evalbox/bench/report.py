"""What a benchmark found, as a table and as JSON."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from typing import Any

_COMPARE: dict[str, Callable[[float, float], bool]] = {"<=": operator.le, ">=": operator.ge}


@dataclass(frozen=True, slots=True)
class Goal:
    """``relation`` is ``<=`` or ``>=``."""

    relation: str
    bound: float

    def met(self, value: float) -> bool:
        return _COMPARE[self.relation](value, self.bound)

    def __str__(self) -> str:
        return f"{self.relation} {self.bound:g}"


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured value; ``samples`` is how many measurements it is the median of."""

    name: str
    value: float
    unit: str
    samples: int = 1
    goal: Goal | None = None

    @property
    def met(self) -> bool | None:
        return self.goal.met(self.value) if self.goal else None

    def document(self) -> dict[str, Any]:
        return asdict(self) | {"goal": str(self.goal) if self.goal else None, "met": self.met}


def table(figures: Iterable[Figure]) -> str:
    """Aligned text: name, value, unit, and the goal with whether it was met."""
    rows = [("what", "value", "unit", "n", "goal", "")]
    for figure in figures:
        verdict = {None: "", True: "met", False: "MISSED"}[figure.met]
        rows.append(
            (
                figure.name,
                f"{figure.value:,.3g}" if figure.value < 1000 else f"{figure.value:,.0f}",
                figure.unit,
                str(figure.samples),
                str(figure.goal or ""),
                verdict,
            )
        )
    widths = [max(len(row[column]) for row in rows) for column in range(6)]
    return "\n".join(
        "  ".join(
            cell.rjust(width) if column in (1, 3) else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    )
