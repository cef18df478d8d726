"""Structured logs: one line for each thing that happened, with the ids of what it happened to.

``get_logger`` costs nothing and is silent until ``configure`` is called, which only a service does:
it imports structlog (about 120 ms), and starts one thread that writes, so that a terminal that has
stopped reading or a slow disk never holds up the event loop.

Only plain values are logged as they are. Of anything else a line shows no more than its type, and
of what bears a telling name (``env``, ``token``, ...) nothing at all: a secret that was passed to a
task must not be found in a log.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, TextIO

from evalbox.errors import ConfigError

if TYPE_CHECKING:
    from evalbox.telemetry.sink import Sink

LEVELS = {
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "warning": logging.WARNING,
    "error": logging.ERROR,
}
FORMATS = ("human", "json")
_SILENT = sys.maxsize

_context: ContextVar[Mapping[str, object]] = ContextVar("log", default=MappingProxyType({}))


class _State:
    """What ``configure`` made; one for the process, as standard error is."""

    sink: Sink | None = None
    threshold = _SILENT


class Logger:
    """Names the part of evalbox that speaks. ``event`` says what happened in a few fixed words;
    what differs from time to time goes into ``values``."""

    __slots__ = ("_name",)

    def __init__(self, name: str) -> None:
        self._name = name

    def debug(self, event: str, **values: object) -> None:
        self._emit(logging.DEBUG, event, values)

    def info(self, event: str, **values: object) -> None:
        self._emit(logging.INFO, event, values)

    def warning(self, event: str, **values: object) -> None:
        self._emit(logging.WARNING, event, values)

    def error(self, event: str, **values: object) -> None:
        self._emit(logging.ERROR, event, values)

    def exception(self, event: str, **values: object) -> None:
        """An error, with the traceback of the exception that is being handled."""
        self._emit(logging.ERROR, event, {**values, "exc_info": sys.exc_info()})

    def _emit(self, level: int, event: str, values: Mapping[str, object]) -> None:
        if level >= _State.threshold and _State.sink is not None:
            _State.sink.emit(level, self._name, event, {**_context.get(), **values})


def get_logger(name: str) -> Logger:
    return Logger(name)


@contextmanager
def bound(**values: object) -> Iterator[None]:
    """Adds ``values`` to every line of this context and of the tasks begun in it."""
    token = _context.set({**_context.get(), **values})
    try:
        yield
    finally:
        _context.reset(token)


def bind(**values: object) -> None:
    """The same up to the end of the present task."""
    _context.set({**_context.get(), **values})


def configure(
    *,
    level: str = "warning",
    form: str = "human",
    file: Path | None = None,
    stream: TextIO | None = None,
    max_bytes: int = 10 << 20,
    backups: int = 3,
) -> None:
    """Turns logging on: to ``file``, else to ``stream`` (default: standard error).

    A file that would grow beyond ``max_bytes`` is put aside, and ``backups`` of those are kept.
    What libraries log by the standard library goes the same way, warnings and worse. May be called
    again; raises ``ConfigError``.
    """
    if level not in LEVELS:
        raise ConfigError(f"log level {level!r} is unknown", hint=f"known: {', '.join(LEVELS)}")
    if form not in FORMATS:
        raise ConfigError(f"log format {form!r} is unknown", hint=f"known: {', '.join(FORMATS)}")
    close()
    from evalbox.telemetry.sink import Sink

    _State.sink = Sink(form, file, stream or sys.stderr, max_bytes, backups)
    _State.threshold = LEVELS[level]


def close() -> None:
    """Writes out what is still to be written; silent from here on. Fine when silent already."""
    sink, _State.sink = _State.sink, None
    _State.threshold = _SILENT
    if sink is not None:
        sink.close()
