"""Asks how and where to, and writes evaluations into a file."""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import AsyncIterator, Callable
from functools import partial
from pathlib import Path

from evalbox.domain.evaluation import Evaluation
from evalbox.domain.quantity import format_size
from evalbox.errors import InvalidInput
from evalbox.export.formats import Format, render
from evalbox.export.saving import save
from evalbox.tui.screens.choice import Answer, Choice, confirm
from evalbox.tui.screens.page import Page
from evalbox.tui.screens.prompt import Prompt

#: Gives what is to be written, anew each time.
Items = Callable[[], AsyncIterator[Evaluation]]

_FORMS = [
    Answer("j", "JSON", Format.JSON, "one document each"),
    Answer("c", "CSV", Format.CSV, "for spreadsheets"),
    Answer("u", "JUnit XML", Format.JUNIT, "for CI servers, with the end of what failures printed"),
]
_UNFIT = re.compile(r"[^\w.-]+")


def offer(page: Page, items: Items, what: str, name: str) -> None:
    """``what`` says what is exported; the file's name is made from ``name``."""

    def chosen(form: Format) -> None:
        place = Path.cwd() / f"{file_name(name)}{form.suffix}"
        page.ask(
            Prompt(f"Write {what} as {form} to:", text=str(place)),
            partial(_placed, page, items, what, form),
        )

    page.ask(Choice(f"Export {what} as", _FORMS), chosen)


def file_name(name: str) -> str:
    """``name``, which a user or a job may have chosen, as one that is harmless anywhere."""
    return _UNFIT.sub("-", name).strip("-.")[:80] or "evaluations"


def _placed(page: Page, items: Items, what: str, form: Format, path: str) -> None:
    page.begin(partial(_checked, page, items, what, form, path))


async def _checked(page: Page, items: Items, what: str, form: Format, path: str) -> None:
    place = _place(path)
    if not await asyncio.to_thread(os.path.lexists, place):
        await _write(page, items, what, form, place, replace=False)
        return

    def answered(sure: bool) -> None:
        if sure:
            page.begin(partial(_write, page, items, what, form, place, replace=True))

    # In two, since the end of a long line is not seen.
    detail = [place.name, f"in {place.parent}"]
    page.ask(confirm("It is there already. Replace it?", detail=detail, yes="replace"), answered)


def _place(path: str) -> Path:
    """Raises ``InvalidInput``."""
    try:
        return Path(path).expanduser().absolute()
    except RuntimeError:
        raise InvalidInput(f"{path}: nobody has that home directory") from None


async def _write(
    page: Page, items: Items, what: str, form: Format, place: Path, *, replace: bool
) -> None:
    size = await save(render(page.context.box, items(), form), place, replace=replace)
    page.tell(f"{what}: {format_size(size)} in {place}")
