"""Turns tracing on where it was asked for, in the process that runs the queue."""

from __future__ import annotations

import asyncio
import os

from evalbox.errors import ConfigError
from evalbox.telemetry import traces
from evalbox.telemetry.logs import get_logger

log = get_logger(__name__)

#: OpenTelemetry's own variables, which are meant for every program of a machine.
_ASKING = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")


class Tracing:
    """From ``begin`` to ``end``. ``endpoint`` is the collector's address, which may be empty."""

    def __init__(self, endpoint: str) -> None:
        self._endpoint = endpoint
        self._begun = False

    async def begin(self) -> None:
        """Raises ``ConfigError`` where the endpoint is set and the extra is not installed."""
        if not self._endpoint and not any(os.environ.get(name) for name in _ASKING):
            return
        try:
            await asyncio.to_thread(traces.configure, self._endpoint)
        except ConfigError as error:
            if self._endpoint:
                raise
            log.warning("nothing is traced", error=error.message)
            return
        self._begun = True

    async def end(self) -> None:
        """Sends what is left, for a few seconds at most."""
        if self._begun:
            self._begun = False
            await asyncio.to_thread(traces.close)
