"""Traces: what the life of an evaluation is made of, from the request to the verdict.

Silent, and without any cost, until ``configure`` is called. OpenTelemetry is an extra, which
nothing but ``telemetry/spans.py`` knows. A place in a trace is a W3C ``traceparent`` and travels as
text: in a header of HTTP, and in the specification of an evaluation, so that one trace goes on
through the queue and over restarts.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from types import TracebackType
from typing import TYPE_CHECKING, Literal, Protocol, Self

from evalbox.errors import ConfigError

if TYPE_CHECKING:
    from opentelemetry.sdk.trace.export import SpanExporter

Value = str | bool | int | float
Kind = Literal["internal", "server"]


class Span(Protocol):
    """A stretch of time, under way."""

    def set(self, attributes: Mapping[str, Value]) -> None: ...

    def rename(self, name: str) -> None: ...

    def fail(self, reason: str) -> None: ...


class Tracer(Protocol):
    def span(
        self,
        name: str,
        *,
        parent: str,
        kind: Kind,
        since: float | None,
        attributes: Mapping[str, Value],
    ) -> AbstractContextManager[Span]: ...

    def past(
        self,
        name: str,
        since: float,
        until: float,
        *,
        parent: str,
        attributes: Mapping[str, Value],
    ) -> None: ...

    def current(self) -> str: ...

    def close(self) -> None: ...


class _Nothing:
    """Implements ``Span``."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        return None

    def set(self, attributes: Mapping[str, Value]) -> None:
        return None

    def rename(self, name: str) -> None:
        return None

    def fail(self, reason: str) -> None:
        return None


#: The span of what is not traced.
NOTHING = _Nothing()


class _State:
    """What ``configure`` made; one for the process, as the log is."""

    tracer: Tracer | None = None


def enabled() -> bool:
    return _State.tracer is not None


def span(
    name: str,
    *,
    parent: str = "",
    kind: Kind = "internal",
    since: float | None = None,
    attributes: Mapping[str, Value] | None = None,
) -> AbstractContextManager[Span]:
    """A span for the length of a block; what it raises is told.

    It belongs to ``parent``, a traceparent, else to the span around it. ``since`` is when it began,
    in seconds since 1970 (default: now).
    """
    tracer = _State.tracer
    if tracer is None:
        return NOTHING
    return tracer.span(name, parent=parent, kind=kind, since=since, attributes=attributes or {})


def past(
    name: str,
    since: float,
    until: float,
    *,
    parent: str = "",
    attributes: Mapping[str, Value] | None = None,
) -> None:
    """Tells of what is over. Times are seconds since 1970."""
    tracer = _State.tracer
    if tracer is not None:
        tracer.past(name, since, until, parent=parent, attributes=attributes or {})


def current() -> str:
    """The traceparent of the span around, empty where there is none."""
    tracer = _State.tracer
    return tracer.current() if tracer is not None else ""


def trace_id(traceparent: str) -> str:
    """Which trace a traceparent is of; empty for none."""
    _, _, rest = traceparent.partition("-")
    return rest.partition("-")[0]


def configure(endpoint: str = "", *, exporter: SpanExporter | None = None) -> None:
    """Turns tracing on; spans go to ``exporter``, else by OTLP over HTTP to ``endpoint``.

    An empty ``endpoint`` leaves that to OpenTelemetry's own environment variables. May be called
    again. Takes some 200 ms. Raises ``ConfigError`` where the extra is not installed.
    """
    try:
        from evalbox.telemetry.spans import Spans
    except ImportError as error:
        raise ConfigError(
            f"traces cannot be sent: {error.name} is not installed",
            hint="pip install 'evalbox[tracing]', or unset otlp_endpoint",
        ) from error
    close()
    _State.tracer = Spans(endpoint, exporter)


def close() -> None:
    """Sends what is still to be sent, for a few seconds at most; silent from here on."""
    tracer, _State.tracer = _State.tracer, None
    if tracer is not None:
        tracer.close()
