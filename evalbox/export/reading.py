"""Reads any number of evaluations of a box, page by page."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection

from evalbox.domain.evaluation import Evaluation
from evalbox.domain.records import EvaluationFilter
from evalbox.errors import EvaluationNotFound
from evalbox.service.box import Box

_PAGE = 1000
#: A page that whoever draws a screen meanwhile does not feel.
GENTLE = 100
#: As many are asked for one by one; more are picked out of pages.
_FEW = 100


async def matching(
    box: Box, query: EvaluationFilter, *, limit: int | None = None, page: int = _PAGE
) -> AsyncIterator[Evaluation]:
    """All that match, or the newest ``limit`` of them, newest first."""
    after: str | None = None
    left = limit
    while left is None or left > 0:
        size = page if left is None else min(page, left)
        found = await box.list(query, limit=size, after=after)
        for item in found:
            yield item
        if len(found) < size:
            return
        after = found[-1].id
        left = None if left is None else left - size


async def named(box: Box, ids: Collection[str], *, page: int = _PAGE) -> AsyncIterator[Evaluation]:
    """Those of these ids, newest first. What was removed meanwhile is left out."""
    if len(ids) <= _FEW:
        for one in sorted(ids, reverse=True):
            try:
                yield await box.get(one)
            except EvaluationNotFound:
                continue
        return
    wanted, oldest = frozenset(ids), min(ids)
    async for item in matching(box, EvaluationFilter(), page=page):
        if item.id < oldest:
            return
        if item.id in wanted:
            yield item
