"""The forms, evaluations as the bytes of one, and those bytes in a file."""

from __future__ import annotations

from collections.abc import AsyncIterator
from enum import StrEnum
from pathlib import Path

from evalbox.domain.evaluation import Evaluation
from evalbox.export import documents, junit, spreadsheet
from evalbox.export.inspect_log import logs
from evalbox.export.saving import save
from evalbox.service.box import Box


class Format(StrEnum):
    """``JSON``: an array of documents. ``CSV``: RFC 4180. ``JUNIT``: XML, as CI servers read it.
    ``INSPECT``: logs as Inspect has them, of which one is written to one file.
    """

    JSON = "json"
    CSV = "csv"
    JUNIT = "junit"
    INSPECT = "inspect"

    @property
    def suffix(self) -> str:
        return _SUFFIXES.get(self, f".{self}")


_SUFFIXES = {Format.JUNIT: ".xml", Format.INSPECT: logs.ARCHIVE}


def form_of(name: str) -> Format:
    """As a file's name says; JSON where it says nothing."""
    found = [form for form in Format if name.lower().endswith(form.suffix)]
    return found[0] if found else Format.JSON


def render(
    box: Box, items: AsyncIterator[Evaluation], form: Format, *, output: bool = True
) -> AsyncIterator[bytes]:
    """Any number of them in little memory.

    ``output``: where the form has room for it, what was printed and submitted; in JUnit the end of
    what those printed that did not pass.
    """
    match form:
        case Format.JSON:
            return documents.render(items)
        case Format.CSV:
            return spreadsheet.render(items)
        case Format.JUNIT:
            return junit.render(box, items, output=output)
        case Format.INSPECT:
            return logs.render(box, items, output=output)


async def write(
    box: Box,
    items: AsyncIterator[Evaluation],
    form: Format,
    place: Path,
    *,
    output: bool = True,
    replace: bool = True,
) -> int:
    """The same in the file ``place``, or files in that directory; gives their bytes.

    Without ``replace``, what is there already raises ``Conflict``.
    """
    if form is Format.INSPECT:
        return await logs.write(box, items, place, output=output, replace=replace)
    return await save(render(box, items, form, output=output), place, replace=replace)
