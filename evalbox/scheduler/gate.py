"""The gate before an engine: shut while the engine fails, so that work waits and is not burnt.

A gate starts shut. Opening it is the same at the start and after an outage: wait until nothing is
being created, ask the engine whether it could make a sandbox, remove what no live attempt owns.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator, Awaitable, Callable

from evalbox.engines.base import Engine
from evalbox.errors import EngineError, EngineUnavailable
from evalbox.telemetry.logs import get_logger

log = get_logger(__name__)

#: This many infra errors in a row shut the gate even though the engine answers.
FAILURES_TO_SHUT = 5
_FIRST_WAIT, _LONGEST_WAIT = 0.5, 30.0
#: Seconds that what has been claimed already waits before a shut gate.
_PATIENCE = 10.0
#: Why it is shut before anybody knows whether the engine works.
CHECKING = "the engine is being checked"


class Gate:
    """Shut and opened for one engine.

    ``reason`` says in words why it is shut, ``errors`` counts what failed. ``tidy`` is
    called each time before it opens, with the engine answering and nothing being created.
    At most ``at_once`` sandboxes are being made at a time (default: two for each core): more
    only take longer, until starts run out of time. ``sleep`` is injected for tests.
    """

    def __init__(
        self,
        engine: Engine,
        *,
        tidy: Callable[[Engine], Awaitable[None]],
        on_change: Callable[[Gate], None],
        at_once: int = 2 * (os.cpu_count() or 1),
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self.engine = engine
        self.reason = CHECKING
        self.errors = 0
        self._tidy = tidy
        self._on_change = on_change
        self._sleep = sleep
        self._opened = asyncio.Event()
        self._room = asyncio.Semaphore(at_once)
        self._creating = 0
        self._idle = asyncio.Event()
        self._idle.set()
        self._failures = 0
        self._wait = 0.0
        self._untidy = False
        self._opener: asyncio.Task[None] | None = None

    @property
    def is_open(self) -> bool:
        return self._opened.is_set()

    def begin(self) -> None:
        """Starts trying to open it."""
        if self._opener is None or self._opener.done():
            self._opener = asyncio.create_task(self._open(), name=f"gate-{self.engine.name}")

    async def opened(self) -> None:
        """Returns once the gate is open, however long that takes."""
        if not self._opened.is_set():
            self.begin()
            await self._opened.wait()

    async def pass_through(self) -> None:
        """Returns once the gate is open; raises ``EngineUnavailable`` where it stays shut."""
        if self._opened.is_set():
            return
        try:
            async with asyncio.timeout(_PATIENCE):
                await self.opened()
        except TimeoutError:
            raise EngineUnavailable(f"engine {self.engine.name}: {self.reason}") from None

    @contextlib.asynccontextmanager
    async def creation(self) -> AsyncIterator[None]:
        """Around making a sandbox: waits for room, and keeps the tidying away meanwhile.

        Raises ``EngineUnavailable`` where the gate stays shut.
        """
        async with self._room:
            await self.pass_through()
            self._creating += 1
            self._idle.clear()
            try:
                yield
            finally:
                self._creating -= 1
                if not self._creating:
                    self._idle.set()

    def succeeded(self) -> None:
        """A sandbox has worked: what failed before is over."""
        self._failures = 0
        self._wait = 0.0

    def failed(self, error: EngineError) -> None:
        """Counts an infra error; shuts the gate where the engine is down or keeps failing."""
        self.errors += 1
        self._failures += 1
        if isinstance(error, EngineUnavailable) or self._failures >= FAILURES_TO_SHUT:
            self._shut(error.message)

    def _shut(self, reason: str) -> None:
        # What has gone wrong only now may have escaped the tidying that is under way.
        self._untidy = True
        if not self._opened.is_set():
            return
        self._opened.clear()
        self.reason = reason
        self._failures = 0
        self._on_change(self)
        self.begin()

    async def _open(self) -> None:
        # The wait outlives an opening that led to no success: an engine that answers and yet makes
        # no sandboxes is not asked for one twice a second for ever.
        while True:
            await self._sleep(self._wait)
            self._wait = min(_LONGEST_WAIT, max(_FIRST_WAIT, self._wait * 2))
            try:
                await self._idle.wait()
                await self.engine.ping()
                self._untidy = False
                await self._tidy(self.engine)
            except EngineError as error:
                self._explain(error.message)
            except Exception as error:
                # A defect of ours: it must not shut the gate for ever.
                log.exception("evalbox itself failed")
                self._explain(f"evalbox itself failed: {error!r}")
            else:
                if not self._untidy:
                    break
        self.reason = ""
        self._opened.set()
        self._on_change(self)

    def _explain(self, reason: str) -> None:
        if reason != self.reason:
            self.reason = reason
            self._on_change(self)

    async def close(self) -> None:
        if self._opener is not None:
            self._opener.cancel()
            await asyncio.gather(self._opener, return_exceptions=True)
