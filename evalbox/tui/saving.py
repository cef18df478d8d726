"""Asks where something is to be saved, and before it replaces what is there."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path

from evalbox.domain.paths import expanded
from evalbox.tui.screens.choice import confirm
from evalbox.tui.screens.page import Page
from evalbox.tui.screens.prompt import Prompt

#: Is given the place, and whether it may replace a file there.
Save = Callable[[Path, bool], Awaitable[None]]


def ask_where(page: Page, question: str, name: str, save: Save) -> None:
    """``name`` is proposed, in the directory that evalbox was started in."""

    def answered(text: str) -> None:
        page.begin(partial(_save, page, text, save))

    page.ask(Prompt(question, text=str(Path.cwd() / name)), answered)


async def _save(page: Page, text: str, save: Save) -> None:
    place = expanded(text).absolute()
    if not await asyncio.to_thread(_taken, place):
        await save(place, False)
        return

    def answered(sure: bool) -> None:
        if sure:
            page.begin(partial(save, place, True))

    # In two, since the end of a long line is not seen.
    detail = [place.name, f"in {place.parent}"]
    page.ask(confirm("Replace the file that is there?", detail=detail, yes="replace"), answered)


def _taken(place: Path) -> bool:
    """By anything but a directory, which nothing replaces."""
    return place.is_symlink() or (place.exists() and not place.is_dir())
