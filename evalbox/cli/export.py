"""``evalbox export``."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import click

from evalbox.cli.command import Command, with_session
from evalbox.cli.filters import filter_options, make_filter
from evalbox.cli.options import ids_argument
from evalbox.cli.session import Session
from evalbox.domain.evaluation import Evaluation
from evalbox.domain.quantity import format_size
from evalbox.domain.records import EvaluationFilter
from evalbox.errors import InvalidInput
from evalbox.export.formats import Format, form_of, render, write
from evalbox.export.reading import matching, named
from evalbox.requests.values import whole
from evalbox.service.box import Box

_STANDARD = "-"


@click.command("export", cls=Command)
@ids_argument(required=False)
@filter_options
@click.option("--limit", "-n", metavar="N", help="Only the newest so many.  [default: all]")
@click.option(
    "--format", "form", type=click.Choice([form.value for form in Format]),
    help="[default: as FILE ends, else json]",
)  # fmt: skip
@click.option(
    "--output", "-o", metavar="FILE|DIR|-", default=_STANDARD,
    help="Write here, whole or not at all; logs of Inspect into DIR.  [default: standard output]",
)  # fmt: skip
@click.option("--no-tail", is_flag=True, help="JUnit and Inspect without what was printed.")
@with_session
async def export_command(
    session: Session,
    references: Sequence[str],
    limit: str | None,
    form: str | None,
    output: str,
    no_tail: bool,
    **given: Any,
) -> None:
    """Write evaluations as JSON, CSV, JUnit XML or logs of Inspect."""
    query = make_filter(**given, now=time.time())
    most = None if limit is None else whole(limit, field="limit", low=1, high=10_000_000)
    if references and (query != EvaluationFilter() or most is not None):
        raise InvalidInput("give ids or options that choose, not both")
    wanted = Format(form) if form else form_of(output)
    async with session.box() as box:
        counted = _Counted(await _items(box, references, query, most))
        if output == _STANDARD:
            async for data in render(box, counted, wanted, output=not no_tail):
                await asyncio.to_thread(session.console.binary, data)
            return
        size = await write(box, counted, wanted, Path(output), output=not no_tail)
    session.console.note(f"{counted.number} in {output} ({format_size(size)})")


async def _items(
    box: Box, references: Sequence[str], query: EvaluationFilter, most: int | None
) -> AsyncIterator[Evaluation]:
    if references:
        return named(box, {await box.resolve(one) for one in references})
    return matching(box, query, limit=most)


class _Counted:
    """What is read, counted."""

    def __init__(self, items: AsyncIterator[Evaluation]) -> None:
        self._items = items
        self.number = 0

    def __aiter__(self) -> AsyncIterator[Evaluation]:
        return self

    async def __anext__(self) -> Evaluation:
        item = await anext(self._items)
        self.number += 1
        return item
