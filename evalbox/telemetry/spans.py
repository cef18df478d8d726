"""Spans by OpenTelemetry. Imported only where something is traced."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import (
    BatchSpanProcessor,
    SimpleSpanProcessor,
    SpanExporter,
)
from opentelemetry.trace import SpanKind, Status, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from evalbox import __version__
from evalbox.telemetry.traces import Kind, Value

_NANOSECONDS = 1_000_000_000
_TRACEPARENT = "traceparent"
#: Seconds in which a collector must have taken what it is sent; the end waits for that.
_PATIENCE = 3
_KINDS: dict[Kind, SpanKind] = {"internal": SpanKind.INTERNAL, "server": SpanKind.SERVER}


class Spans:
    """Implements ``Tracer``. The provider is our own: what else the process traces is not ours."""

    def __init__(self, endpoint: str, exporter: SpanExporter | None) -> None:
        resource = Resource.create({"service.name": "evalbox", "service.version": __version__})
        self._provider = TracerProvider(resource=resource)
        self._provider.add_span_processor(_processor(endpoint, exporter))
        self._tracer = self._provider.get_tracer("evalbox", __version__)
        self._propagator = TraceContextTextMapPropagator()

    @contextmanager
    def span(
        self,
        name: str,
        *,
        parent: str,
        kind: Kind,
        since: float | None,
        attributes: Mapping[str, Value],
    ) -> Iterator[_Span]:
        with self._tracer.start_as_current_span(
            name,
            context=self._context(parent),
            kind=_KINDS[kind],
            start_time=None if since is None else int(since * _NANOSECONDS),
            attributes=attributes,
        ) as made:
            yield _Span(made)

    def past(
        self,
        name: str,
        since: float,
        until: float,
        *,
        parent: str,
        attributes: Mapping[str, Value],
    ) -> None:
        self._tracer.start_span(
            name,
            context=self._context(parent),
            start_time=int(since * _NANOSECONDS),
            attributes=attributes,
        ).end(int(until * _NANOSECONDS))

    def current(self) -> str:
        carrier: dict[str, str] = {}
        self._propagator.inject(carrier)
        return carrier.get(_TRACEPARENT, "")

    def close(self) -> None:
        self._provider.shutdown()

    def _context(self, parent: str) -> Context | None:
        """None is what the span around says. What is no traceparent begins a trace."""
        return self._propagator.extract({_TRACEPARENT: parent}, Context()) if parent else None


class _Span:
    """Implements ``Span``."""

    def __init__(self, span: trace.Span) -> None:
        self._span = span

    def set(self, attributes: Mapping[str, Value]) -> None:
        self._span.set_attributes(attributes)

    def rename(self, name: str) -> None:
        self._span.update_name(name)

    def fail(self, reason: str) -> None:
        self._span.set_status(Status(StatusCode.ERROR, reason))


def _processor(endpoint: str, exporter: SpanExporter | None) -> SpanProcessor:
    if exporter is not None:
        return SimpleSpanProcessor(exporter)
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

    # Given an endpoint, it takes that for the whole address, unlike what its variables say.
    address = f"{endpoint.rstrip('/')}/v1/traces" if endpoint else None
    return BatchSpanProcessor(OTLPSpanExporter(endpoint=address, timeout=_PATIENCE))
