"""Where log lines go: rendered by structlog where they arise, written by a thread of their own."""

from __future__ import annotations

import logging
import queue
import threading
import traceback
from collections.abc import Mapping, MutableMapping
from logging.handlers import RotatingFileHandler
from pathlib import Path, PurePath
from typing import Any, TextIO

import structlog

from evalbox.errors import ConfigError

LONGEST = 2000
#: Lines that wait to be written; what comes on top is left out, and counted.
WAITING = 10_000

_PRIVATE = frozenset(
    {"authorization", "credentials", "env", "environment", "key"}
    | {"password", "secret", "stdin", "token"}
)
_CONTROL = {code: f"\\x{code:02x}" for code in (*range(32), *range(127, 160))}
_CONTROL |= {ord("\n"): "\\n", ord("\r"): "\\r", ord("\t"): "\\t"}
#: A traceback has lines of its own.
_CONTROL_IN_LINES = {code: mark for code, mark in _CONTROL.items() if code != ord("\n")}


class Sink:
    def __init__(
        self, form: str, file: Path | None, stream: TextIO, max_bytes: int, backups: int
    ) -> None:
        self._handler = _open(file, max_bytes, backups) if file else logging.StreamHandler(stream)
        # A terminal that has gone is no reason to complain on it.
        self._handler.handleError = lambda record: None  # type: ignore[method-assign]
        self._render = _processors(form, colors=file is None and stream.isatty())
        self._lines: queue.Queue[str | None] = queue.Queue(WAITING)
        self._lost = 0
        self._thread = threading.Thread(target=self._write, name="evalbox-log", daemon=True)
        self._thread.start()
        self._library_handler = _LibraryHandler(self)
        logging.getLogger().addHandler(self._library_handler)

    def emit(self, level: int, name: str, event: str, values: Mapping[str, object]) -> None:
        try:
            self._lines.put_nowait(self._rendered(level, name, event, values))
        except queue.Full:
            self._lost += 1

    def _rendered(self, level: int, name: str, event: str, values: Mapping[str, object]) -> str:
        line: Any = {"event": event, "level": logging.getLevelName(level).lower(), "logger": name}
        line |= {key: value for key, value in values.items() if key not in line}
        for process in self._render:
            line = process(None, "", line)
        return str(line)

    def close(self) -> None:
        logging.getLogger().removeHandler(self._library_handler)
        try:
            self._lines.put(None, timeout=1)
        except queue.Full:
            return
        # A terminal that does not read must not hold up the end.
        self._thread.join(timeout=2)

    def _write(self) -> None:
        while (line := self._lines.get()) is not None:
            self._put(line)
            if self._lines.empty():
                self._tell_lost()
        self._tell_lost()
        if isinstance(self._handler, RotatingFileHandler):
            self._handler.close()

    def _tell_lost(self) -> None:
        if self._lost:
            values, self._lost = {"count": self._lost}, 0
            self._put(self._rendered(logging.WARNING, "log", "log lines left out", values))

    def _put(self, line: str) -> None:
        self._handler.emit(logging.LogRecord("", 0, "", 0, "%s", (line,), None))


class _LibraryHandler(logging.Handler):
    """Takes what libraries log, so that nothing writes across a terminal interface."""

    def __init__(self, sink: Sink) -> None:
        super().__init__(logging.WARNING)
        self._sink = sink

    def emit(self, record: logging.LogRecord) -> None:
        values: dict[str, object] = {"exc_info": record.exc_info} if record.exc_info else {}
        self._sink.emit(record.levelno, record.name, record.getMessage(), values)


def _open(file: Path, max_bytes: int, backups: int) -> logging.Handler:
    try:
        return RotatingFileHandler(file, maxBytes=max_bytes, backupCount=backups, encoding="utf-8")
    except OSError as error:
        raise ConfigError(
            f"log file {file}: {error.strerror}", hint="set log_file to a file that can be written"
        ) from error


def _processors(form: str, *, colors: bool) -> list[structlog.typing.Processor]:
    return [
        _plain,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.JSONRenderer()
        if form == "json"
        else structlog.dev.ConsoleRenderer(colors=colors),
    ]


def _plain(_: Any, __: str, line: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    failure = line.pop("exc_info", None)
    plain = {name: _value(name, value) for name, value in line.items()}
    if failure:
        # By the standard library: structlog's own would show local variables, and so secrets.
        lines = "".join(traceback.format_exception(*failure)).rstrip()
        plain["exception"] = lines.translate(_CONTROL_IN_LINES)
    return plain


def _value(name: str, value: object) -> object:
    if name.lower() in _PRIVATE:
        return "[hidden]"
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, PurePath | BaseException):
        value = str(value)
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, Mapping):
        return {str(key): _value(str(key), item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_value("", item) for item in value]
    return f"<{type(value).__name__}>"


def _text(text: str) -> str:
    """Without what a terminal would obey, and not without end."""
    cut = text if len(text) <= LONGEST else text[:LONGEST] + "…"
    return cut.translate(_CONTROL)
