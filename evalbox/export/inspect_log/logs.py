"""Logs as files: one of them, or a directory with all that there are."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

from evalbox.domain.evaluation import Evaluation
from evalbox.errors import InvalidInput
from evalbox.export.inspect_log.header import Plan
from evalbox.export.inspect_log.planning import file_name, plans
from evalbox.export.inspect_log.writing import archive, document
from evalbox.export.saving import save
from evalbox.service.box import Box

ARCHIVE, DOCUMENT = ".eval", ".json"


async def render(
    box: Box, items: AsyncIterator[Evaluation], *, output: bool = True, suffix: str = ARCHIVE
) -> AsyncIterator[bytes]:
    """Raises ``InvalidInput`` where they are not all of one log."""
    found = await plans(items)
    if not found:
        raise InvalidInput("there is nothing to export", hint="evalbox ls tells what there is")
    if len(found) > 1:
        raise InvalidInput(
            f"these are {len(found)} logs: each has one task and one agent of one batch",
            hint="name a directory with -o, or choose with --batch and --label agent=NAME",
            field="output",
        )
    async for data in _content(box, found[0], suffix, output=output):
        yield data


async def write(
    box: Box,
    items: AsyncIterator[Evaluation],
    place: Path,
    *,
    output: bool = True,
    replace: bool = True,
) -> int:
    """Writes the file ``place`` where it is called ``.eval`` or ``.json``, else a file for each log
    into that directory; gives their bytes.

    A log is always called the same, so one that is in the directory already is written anew.
    Raises ``InvalidInput``, ``Conflict`` and ``StoreReadOnly``.
    """
    suffix = place.suffix.lower()
    if suffix in (ARCHIVE, DOCUMENT):
        content = render(box, items, output=output, suffix=suffix)
        return await save(content, place, replace=replace)
    size = 0
    for plan in await plans(items):
        content = _content(box, plan, ARCHIVE, output=output)
        size += await save(content, place / file_name(plan, ARCHIVE))
    return size


def _content(box: Box, plan: Plan, suffix: str, *, output: bool) -> AsyncIterator[bytes]:
    form = document if suffix == DOCUMENT else archive
    return form(box, plan, output=output)
