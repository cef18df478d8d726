"""Asks how and where to, and writes evaluations into a file."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Callable
from functools import partial
from pathlib import Path

from evalbox.domain.evaluation import Evaluation
from evalbox.domain.quantity import format_size
from evalbox.export.formats import Format, write
from evalbox.tui.saving import ask_where
from evalbox.tui.screens.choice import Answer, Choice
from evalbox.tui.screens.page import Page

#: Gives what is to be written, anew each time.
Items = Callable[[], AsyncIterator[Evaluation]]

_FORMS = [
    Answer("j", "JSON", Format.JSON, "one document each"),
    Answer("c", "CSV", Format.CSV, "for spreadsheets"),
    Answer("u", "JUnit XML", Format.JUNIT, "for CI servers, with the end of what failures printed"),
    Answer("i", "Inspect", Format.INSPECT, "a directory of logs, for inspect view"),
]
_UNFIT = re.compile(r"[^\w.-]+")


def offer(page: Page, items: Items, what: str, name: str) -> None:
    """``what`` says what is exported; the file's name is made from ``name``."""

    def chosen(form: Format) -> None:
        if form is Format.INSPECT:
            question, file = f"Write {what} as logs into the directory", file_name(name)
        else:
            question, file = f"Write {what} as {form} to", f"{file_name(name)}{form.suffix}"
        ask_where(page, question, file, partial(_write, page, items, what, form))

    page.ask(Choice(f"Export {what} as", _FORMS), chosen)


def file_name(name: str) -> str:
    """``name``, which a user or a job may have chosen, as one that is harmless anywhere."""
    return _UNFIT.sub("-", name).strip("-.")[:80] or "evaluations"


async def _write(
    page: Page, items: Items, what: str, form: Format, place: Path, replace: bool
) -> None:
    size = await write(page.context.box, items(), form, place, replace=replace)
    page.tell(f"{what}: {format_size(size)} in {place}")
