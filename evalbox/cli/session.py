"""What every command has at hand: the settings, the console, and a box."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar

from evalbox.cli.console import Console

if TYPE_CHECKING:
    from evalbox.config.settings import Settings
    from evalbox.service.box import Box

T = TypeVar("T")

#: Gives the box of the settings; ``work`` says whether this process may run the queue.
Opener = Callable[..., AbstractAsyncContextManager["Box"]]


class Session:
    """One invocation.

    ``overrides`` are the settings given as flags; ``colour``, ``quiet`` and ``raw`` are the
    console's, to be set before it is first used.
    """

    def __init__(self, *, opener: Opener | None = None) -> None:
        self.overrides: dict[str, Any] = {}
        self.colour: bool | None = None
        self.quiet = False
        self.raw = False
        self._opener = opener or open_local

    @cached_property
    def console(self) -> Console:
        return Console(colour=self.colour, quiet=self.quiet, raw=self.raw)

    @cached_property
    def settings(self) -> Settings:
        """Raises ``ConfigError``."""
        from evalbox.config.settings import load

        return load(overrides=self.overrides)

    def box(self, *, work: bool = False) -> AbstractAsyncContextManager[Box]:
        return self._opener(self.settings, work=work, on_note=self.console.note)

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run(work)


@asynccontextmanager
async def open_local(
    settings: Settings, *, work: bool, on_note: Callable[[str], None]
) -> AsyncIterator[Box]:
    from evalbox.service.local import LocalBox

    box = await LocalBox.open(settings, work=work, on_note=on_note)
    try:
        yield box
    finally:
        await box.close()
