"""How often evaluations are alike in something, and how they went."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from evalbox.domain.outcome import Outcome
from evalbox.tui.model.row import Row


@dataclass(slots=True)
class Tally:
    """``passed`` ended well, ``failed`` otherwise; the rest is still to end, or was cancelled.

    ``last`` is when the newest was submitted, in seconds since 1970.
    """

    key: str
    count: int = 0
    passed: int = 0
    failed: int = 0
    active: int = 0
    last: float = 0.0


def tallies(rows: Iterable[Row], key: Callable[[Row], str]) -> dict[str, Tally]:
    """One for each key. ``rows`` are newest first."""
    found: dict[str, Tally] = {}
    for row in rows:
        name = key(row)
        tally = found.get(name)
        if tally is None:
            tally = found[name] = Tally(name, last=row.created_at)
        tally.count += 1
        tally.active += row.active
        if row.over and row.outcome is not None and row.outcome is not Outcome.CANCELLED:
            if row.outcome is Outcome.OK:
                tally.passed += 1
            else:
                tally.failed += 1
    return found
