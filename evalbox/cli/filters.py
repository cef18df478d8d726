"""Which evaluations: options that choose them, and reading all of them page by page."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import TypeVar

import click

from evalbox.cli import options
from evalbox.domain.engine import engine_name
from evalbox.domain.evaluation import Evaluation
from evalbox.domain.moments import parse_since
from evalbox.domain.outcome import Outcome
from evalbox.domain.records import EvaluationFilter
from evalbox.domain.score import ScoreKind
from evalbox.domain.state import State
from evalbox.errors import InvalidInput
from evalbox.export.reading import matching
from evalbox.requests.values import labels
from evalbox.service.box import Box

E = TypeVar("E", bound=StrEnum)

filter_options = options.apply(
    click.option("--state", multiple=True, metavar="STATE", help="queued, running, failed, ..."),
    click.option("--outcome", multiple=True, metavar="OUTCOME", help="ok, failed, timeout, ..."),
    click.option("--score", multiple=True, metavar="KIND", help="number, manual or invalid."),
    click.option("--batch", metavar="NAME", help="Of this batch."),
    click.option("--name", metavar="GLOB", help="By name, as in 'fizz*'."),
    click.option("--label", "-l", multiple=True, metavar="K=V", help="With this label."),
    click.option("--engine", metavar="ENGINE", help="gvisor, runc, process or fake."),
    click.option("--since", metavar="TIME", help="Created since: 2h ago, 7d, 2030-01-31, 18:30."),
)


def make_filter(
    *,
    state: Sequence[str],
    outcome: Sequence[str],
    score: Sequence[str],
    batch: str | None,
    name: str | None,
    label: Sequence[str],
    engine: str | None,
    since: str | None,
    now: float,
) -> EvaluationFilter:
    """Raises ``InvalidInput``."""
    return EvaluationFilter(
        states=_members(State, state, "state"),
        outcomes=_members(Outcome, outcome, "outcome"),
        scores=_members(ScoreKind, score, "score"),
        batch=batch,
        name=name,
        labels=labels(label),
        engine=None if engine is None else engine_name(engine, flag=True),
        created_after=None if since is None else parse_since(since, now=now, field="since"),
    )


async def everything(
    box: Box, query: EvaluationFilter, *, limit: int | None = None
) -> list[Evaluation]:
    """All that match, or the newest ``limit`` of them, newest first."""
    return [item async for item in matching(box, query, limit=limit)]


def _members(kind: type[E], names: Sequence[str], field: str) -> frozenset[E]:
    try:
        return frozenset(kind(part) for name in names for part in name.split(","))
    except ValueError as error:
        raise InvalidInput(
            f"--{field}: {error}", hint=f"known: {', '.join(kind)}", field=field
        ) from None
