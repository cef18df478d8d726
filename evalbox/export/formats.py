"""The forms, and evaluations as the bytes of one."""

from __future__ import annotations

from collections.abc import AsyncIterator
from enum import StrEnum

from evalbox.domain.evaluation import Evaluation
from evalbox.export import documents, junit, spreadsheet
from evalbox.service.box import Box


class Format(StrEnum):
    """``JSON``: an array of documents. ``CSV``: RFC 4180. ``JUNIT``: XML, as CI servers read it."""

    JSON = "json"
    CSV = "csv"
    JUNIT = "junit"

    @property
    def suffix(self) -> str:
        return ".xml" if self is Format.JUNIT else f".{self}"


def form_of(name: str) -> Format:
    """As a file's name says; JSON where it says nothing."""
    found = [form for form in Format if name.lower().endswith(form.suffix)]
    return found[0] if found else Format.JSON


def render(
    box: Box, items: AsyncIterator[Evaluation], form: Format, *, output: bool = True
) -> AsyncIterator[bytes]:
    """Any number of them in little memory.

    ``output``: where the form has room for it, the end of what those printed that did not pass.
    """
    match form:
        case Format.JSON:
            return documents.render(items)
        case Format.CSV:
            return spreadsheet.render(items)
        case Format.JUNIT:
            return junit.render(box, items, output=output)
