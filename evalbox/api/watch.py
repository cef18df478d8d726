"""Watches over the API itself: how long requests take, and whether the event loop keeps up."""

from __future__ import annotations

import asyncio
from contextlib import AbstractContextManager
from dataclasses import dataclass, field

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from evalbox.domain.access import Principal
from evalbox.domain.clock import Clock
from evalbox.service.metrics import Metrics
from evalbox.telemetry import traces
from evalbox.telemetry.logs import get_logger
from evalbox.telemetry.metrics import Counter, Gauge, Histogram, Reading

log = get_logger(__name__)

#: Seconds between looks at how late the event loop is.
_LOOK = 0.5
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
#: What no route was found for, or was not looked for.
_NO_ROUTE = "none"
#: Asked for so often that a line for each would be all that a log says.
_ROUTINE = frozenset({"/healthz", "/readyz", "/metrics"})
_REFUSALS = {
    401: "unauthenticated",
    403: "forbidden",
    413: "too_large",
    429: "rate_limited",
    431: "too_large",
}
_STREAM = b"text/event-stream"
#: A client that went away before it was answered, as nginx has it.
_VANISHED = 499
_UPGRADED = 101


class Watch:
    """``metrics`` are those of the box, where it is one of this process; below ``prefix`` are the
    routes of the API proper."""

    def __init__(self, clock: Clock, prefix: str, metrics: Metrics | None = None) -> None:
        self._clock = clock
        self._prefix = prefix
        self._metrics = metrics
        self._lateness: asyncio.Task[None] | None = None
        self._lag = Histogram(
            "event_loop_lag_seconds", "How much later than asked for the event loop woke up."
        )
        self._seconds = Histogram(
            "api_request_seconds",
            "From a request to the beginning of its answer, by the route's template.",
            ("method", "route", "status"),
        )
        self._refused = Counter(
            "api_refused_requests", "Requests that were refused, by the reason.", ("reason",)
        )
        for reason in _REFUSALS.values():
            self._refused.add(0, reason)
        self._under_way = Gauge("api_requests_in_progress", "Requests that are being answered.")
        self._streams = Gauge(
            "api_streams", "Feeds and other streams that are open, by route.", ("route",)
        )

    async def start(self) -> None:
        """Raises ``StoreError``."""
        if self._metrics is not None:
            await self._metrics.begin()
        self._lateness = asyncio.create_task(self._measure_lateness(), name="loop-lag")

    async def stop(self) -> None:
        if self._lateness is not None:
            self._lateness.cancel()
            await asyncio.gather(self._lateness, return_exceptions=True)

    async def read(self) -> list[Reading]:
        """Raises ``StoreError``."""
        instruments = (self._lag, self._seconds, self._refused, self._under_way, self._streams)
        of_box = await self._metrics.read() if self._metrics is not None else []
        return [*of_box, *(instrument.read() for instrument in instruments)]

    def trouble(self) -> str:
        """What keeps the box from its work; empty where nothing does, or it is not known."""
        return self._metrics.trouble() if self._metrics is not None else ""

    async def _measure_lateness(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            due = loop.time() + _LOOK
            await asyncio.sleep(_LOOK)
            self._lag.observe(loop.time() - due)

    def begun(self) -> float:
        """A request has come; gives the time."""
        self._under_way.add(1)
        return self._clock.monotonic()

    def streaming(self, scope: Scope, change: int) -> None:
        self._streams.add(change, self._route(scope))

    def ended(self, scope: Scope, seen: Seen, span: traces.Span) -> None:
        """Counts a request and writes it down. Its path and query are not told: they may hold
        secrets."""
        self._under_way.add(-1)
        if seen.streaming:
            self.streaming(scope, -1)
        method = scope.get("method", "WEBSOCKET")
        method = method if method in _METHODS or scope["type"] == "websocket" else "other"
        route, status = self._route(scope), seen.status or _VANISHED
        seconds = (seen.answered or self._clock.monotonic()) - seen.begun
        self._seconds.observe(seconds, method, route, str(status))
        if status in _REFUSALS:
            self._refused.add(1, _REFUSALS[status])
        span.rename(f"{method} {route}")
        span.set({"http.route": route, "http.response.status_code": status})
        if status >= 500:
            span.fail(f"status {status}")
        principal: Principal | None = scope.get("evalbox.principal")
        tell = log.debug if route in _ROUTINE else log.info
        tell(
            "request",
            method=method,
            route=route,
            status=status,
            ms=round(seconds * 1000, 2),
            key_id=principal.key_id if principal else None,
            source=principal.source if principal else None,
            trace=traces.trace_id(traces.current()) or None,
        )

    def _route(self, scope: Scope) -> str:
        """The template. A router's own routes may know of no prefix that it was given later."""
        path: str = getattr(scope.get("route"), "path", "")
        if not path:
            return _NO_ROUTE
        prefixed = path.startswith(self._prefix) or not scope["path"].startswith(self._prefix)
        return path if prefixed else self._prefix + path

    def answering(self, scope: Scope, seen: Seen, message: Message) -> None:
        """Looks at what is sent; only its beginning counts."""
        if seen.status:
            return
        match message["type"]:
            case "http.response.start" | "websocket.http.response.start":
                seen.status = message["status"]
                seen.streaming = _is_stream(message)
            case "websocket.accept":
                seen.status, seen.streaming = _UPGRADED, True
            case "websocket.close":
                seen.status = 403
            case _:
                return
        seen.answered = self._clock.monotonic()
        if seen.streaming:
            self.streaming(scope, 1)


@dataclass(slots=True)
class Seen:
    """Of one request: ``status`` 0 and ``answered`` 0.0 until the answer begins."""

    begun: float
    status: int = 0
    answered: float = 0.0
    streaming: bool = field(default=False)


class Watched:
    """The layer through which every request goes."""

    def __init__(self, app: ASGIApp, *, watch: Watch) -> None:
        self._app = app
        self._watch = watch

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        watch = self._watch
        seen = Seen(watch.begun())

        async def sending(message: Message) -> None:
            watch.answering(scope, seen, message)
            await send(message)

        with _span(scope) as span:
            try:
                await self._app(scope, receive, sending)
            except Exception:
                # Answered further out.
                seen.status = seen.status or 500
                raise
            finally:
                watch.ended(scope, seen, span)


def _span(scope: Scope) -> AbstractContextManager[traces.Span]:
    """It goes on with the trace of the client, if there is one."""
    if not traces.enabled() or scope["type"] != "http" or scope["path"] in _ROUTINE:
        return traces.NOTHING
    return traces.span(
        scope["method"],
        parent=Headers(scope=scope).get("traceparent", ""),
        kind="server",
        attributes={
            "http.request.method": scope["method"],
            "evalbox.request_id": scope.get("evalbox.request_id", ""),
        },
    )


def _is_stream(message: Message) -> bool:
    return any(
        name.lower() == b"content-type" and value.startswith(_STREAM)
        for name, value in message["headers"]
    )
