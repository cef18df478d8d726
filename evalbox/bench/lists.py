"""How long a page of a list takes, out of a hundred thousand evaluations."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from urllib.parse import quote

from evalbox.bench.readers import percentile
from evalbox.bench.report import Figure, Goal
from evalbox.bench.requests import Connection
from evalbox.bench.service import running
from evalbox.config.settings import Settings
from evalbox.domain.evaluation import EvaluationSpec, Priority
from evalbox.engines.fake import FakeEngine
from evalbox.errors import EvalboxError
from evalbox.service.local import LocalBox

_AT_ONCE = 5000
_PAGE = 100
_BATCHES, _LABELS = 50, 100
#: One of so many was cancelled.
_CANCELLED = 7


async def lists(
    settings: Settings,
    directory: Path,
    *,
    evaluations: int,
    pages: int,
    progress: Callable[[str], None],
) -> list[Figure]:
    """Pages of a hundred, by one client after another, over the socket."""
    where = directory / "lists"
    progress(f"lists: {evaluations:,} evaluations are made")
    ids = await _fill(replace(settings, data_dir=where), evaluations)
    figures, everything = [], []
    async with running(where, settings, {}) as service:
        connection = await Connection.open(service.socket)
        try:
            for name, queries in _queries(ids, pages).items():
                progress(f"lists: {name}")
                times = [await _page(connection, query) for query in queries]
                everything += times
                figures.append(
                    Figure(f"list, {name}: p99", percentile(times, 0.99) * 1000, "ms", pages)
                )
        finally:
            await connection.close()
    name = f"a page out of {evaluations:,}: "
    return [
        *figures,
        Figure(name + "p50", percentile(everything, 0.5) * 1000, "ms", len(everything)),
        Figure(
            name + "p99", percentile(everything, 0.99) * 1000, "ms", len(everything),
            Goal("<=", 20),
        ),
    ]  # fmt: skip


async def _fill(settings: Settings, count: int) -> list[str]:
    """The ids, the newest first. The queue is left paused."""
    box = await LocalBox.open(settings, work=False, engines=[FakeEngine()])
    try:
        await box.pause()
        ids: list[str] = []
        for start in range(0, count, _AT_ONCE):
            numbers = range(start, min(start + _AT_ONCE, count))
            made = await box.submit([_spec(number) for number in numbers])
            found = [evaluation.id for evaluation in made]
            await box.cancel(found[::_CANCELLED])
            ids += found
        return sorted(ids, reverse=True)
    finally:
        await box.close()


def _spec(number: int) -> EvaluationSpec:
    return EvaluationSpec(
        name=f"bench-{number}",
        command=("true",),
        image="none",
        engine="fake",
        priority=tuple(Priority)[number % len(Priority)],
        batch=f"batch-{number % _BATCHES}",
        labels={"model": f"m{number % _LABELS}", "suite": "bench"},
    )


def _queries(ids: Sequence[str], pages: int) -> dict[str, list[str]]:
    """For each kind of page, what is asked for."""
    cursors = [ids[number * (len(ids) - _PAGE) // pages] for number in range(pages)]
    made = {
        "newest": [""] * pages,
        "deep cursor": [f"cursor={cursor}" for cursor in cursors],
        "state": [f"state=cancelled&cursor={cursor}" for cursor in cursors],
        "batch": [f"batch=batch-{number % _BATCHES}" for number in range(pages)],
        "label": [f"label={quote(f'model=m{number % _LABELS}')}" for number in range(pages)],
        "batch and deep cursor": [
            f"batch=batch-{number % _BATCHES}&cursor={cursor}"
            for number, cursor in enumerate(cursors)
        ],
        "label and deep cursor": [
            f"label={quote(f'model=m{number % _LABELS}')}&cursor={cursor}"
            for number, cursor in enumerate(cursors)
        ],
    }
    return {
        name: [f"/api/v1/evaluations?limit={_PAGE}&{query}" for query in queries]
        for name, queries in made.items()
    }


async def _page(connection: Connection, target: str) -> float:
    began = time.perf_counter()
    status, body = await connection.request("GET", target)
    taken = time.perf_counter() - began
    if status != 200:
        raise EvalboxError(f"{target} was answered with {status}: {body[:200]!r}")
    # As a client that looks at what it got, and not as one that floods.
    await asyncio.sleep(taken)
    return taken
