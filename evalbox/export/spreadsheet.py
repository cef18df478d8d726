"""Evaluations as CSV, for spreadsheets.

A spreadsheet takes a cell that begins with ``=``, ``+``, ``-`` or ``@`` for a formula, quoted or
not, and formulas can fetch and run things. Names, labels and messages are others' words, so such a
cell gets an apostrophe in front, which spreadsheets read as "this is text". Numbers are ours and
stay numbers.
"""

from __future__ import annotations

import csv
import io
from collections.abc import AsyncIterator, Callable

from evalbox.domain.evaluation import AGENT, Evaluation
from evalbox.domain.inert import inert_line
from evalbox.wire.moments import iso, iso_or_none

_FORMULA = ("=", "+", "-", "@", "\t", "\r", "＝", "＋", "－", "＠")
#: Evaluations that are written at once.
_TURN = 50

Value = str | int | float | None


def _score(item: Evaluation) -> Value:
    return item.score.value if item.score else None


def _elapsed(item: Evaluation) -> Value:
    if item.started_at is None or item.finished_at is None:
        return None
    return round(max(0.0, item.finished_at - item.started_at), 3)


def _labels(item: Evaluation) -> Value:
    return " ".join(f"{key}={value}" for key, value in item.spec.labels.items())


COLUMNS: dict[str, Callable[[Evaluation], Value]] = {
    "id": lambda item: item.id,
    "name": lambda item: item.spec.name,
    "batch": lambda item: item.spec.batch,
    "agent": lambda item: item.spec.labels.get(AGENT),
    "state": lambda item: item.state,
    "outcome": lambda item: item.outcome,
    "score": _score,
    "score_kind": lambda item: item.score.kind if item.score else None,
    "exit_code": lambda item: item.exit_code,
    "error": lambda item: item.error,
    "reason": lambda item: item.reason,
    "attempts": lambda item: item.attempts,
    "elapsed_seconds": _elapsed,
    "created_at": lambda item: iso(item.created_at),
    "started_at": lambda item: iso_or_none(item.started_at),
    "finished_at": lambda item: iso_or_none(item.finished_at),
    "priority": lambda item: item.spec.priority.name.lower(),
    "engine": lambda item: item.spec.engine,
    "image": lambda item: item.spec.image,
    "network": lambda item: item.spec.network,
    "labels": _labels,
}


async def render(items: AsyncIterator[Evaluation]) -> AsyncIterator[bytes]:
    """UTF-8, with lines that end in CR LF as RFC 4180 has it."""
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(COLUMNS)
    held = 0
    async for item in items:
        writer.writerow([cell(value(item)) for value in COLUMNS.values()])
        held += 1
        if held == _TURN:
            yield _taken(text)
            held = 0
    yield _taken(text)


def cell(value: Value) -> Value:
    """``value`` as a cell that no spreadsheet computes and no terminal obeys."""
    if not isinstance(value, str):
        return value
    shown = inert_line(value).encode(errors="replace").decode()
    return f"'{shown}" if value.lstrip(" ").startswith(_FORMULA) else shown


def _taken(text: io.StringIO) -> bytes:
    data = text.getvalue().encode()
    text.seek(0)
    text.truncate()
    return data
