"""Asks where something is to be saved, and before it replaces what is there."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path

from evalbox.tui.screens.choice import confirm
from evalbox.tui.screens.page import Page
from evalbox.tui.screens.prompt import Prompt

#: Is given the place, and whether it may replace a file there.
Save = Callable[[Path, bool], Awaitable[None]]


def ask_where(page: Page, question: str, name: str, save: Save) -> None:
    """``name`` is proposed, in the directory that evalbox was started in."""

    def answered(text: str) -> None:
        page.begin(partial(_save, page, Path(text).expanduser(), save))

    page.ask(Prompt(question, text=str(Path.cwd() / name)), answered)


async def _save(page: Page, place: Path, save: Save) -> None:
    if not await asyncio.to_thread(place.is_file):
        await save(place, False)
        return

    def answered(sure: bool) -> None:
        if sure:
            page.begin(partial(save, place, True))

    page.ask(
        confirm("Replace the file that is there?", detail=[str(place)], yes="replace"), answered
    )
