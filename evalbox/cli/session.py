"""What every command has at hand: the settings, the console, and a box."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evalbox.cli.console import Console
from evalbox.errors import InvalidInput

if TYPE_CHECKING:
    from evalbox.config.settings import Settings
    from evalbox.service.box import Box

_QUIET = "warning"

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
        self._opener = opener

    @cached_property
    def console(self) -> Console:
        return Console(colour=self.colour, quiet=self.quiet, raw=self.raw)

    @cached_property
    def settings(self) -> Settings:
        """A directory that was named counts over a URL that was merely set.

        Raises ``ConfigError``, and ``InvalidInput`` where both were named.
        """
        from evalbox.config.settings import load

        overrides = self.overrides
        if "data_dir" in overrides:
            if overrides.get("url"):
                raise InvalidInput("--data-dir and --url exclude each other", field="url")
            overrides = {"url": "", **overrides}
        return load(overrides=overrides)

    def start_logging(self, *, always: bool = False) -> None:
        """Turns the log on where it was asked for: it costs a command more than it is worth."""
        settings = self.settings
        asked = {"log_level", "log_format"} & self.overrides.keys() or settings.log_file
        if not (always or asked or settings.log_level != _QUIET):
            return
        import atexit

        from evalbox.telemetry import logs

        file = Path(settings.log_file) if settings.log_file else None
        logs.configure(level=settings.log_level, form=settings.log_format, file=file)
        atexit.register(logs.close)

    def keep_here(self, command: str) -> None:
        """Raises ``InvalidInput`` where a box elsewhere is meant, which ``command`` is not for."""
        if self.settings.url:
            raise InvalidInput(
                f"{command} is for this machine, and {self.settings.url} is elsewhere",
                hint="leave out --url and EVALBOX_URL, or run it there",
            )

    def box(
        self,
        *,
        work: bool = False,
        warm: int = 0,
        on_note: Callable[[str], None] | None = None,
    ) -> AbstractAsyncContextManager[Box]:
        """The box, open; with ``work`` this process runs the queue if no other does.

        ``on_note`` (default: the console) is told in a line what is done.
        """
        self.start_logging()
        from evalbox.host.opening import open_box

        opener = self._opener or open_box
        note = on_note or self.console.note
        return opener(self.settings, work=work, warm=warm, on_note=note)
