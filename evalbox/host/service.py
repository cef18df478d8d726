"""A box of this machine, served without a terminal until it is told to stop."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from collections.abc import Callable

from evalbox import __version__
from evalbox.config.settings import Settings
from evalbox.domain.access import Standing
from evalbox.domain.clock import SystemClock
from evalbox.domain.quantity import format_duration
from evalbox.domain.state import ACTIVE, State
from evalbox.errors import EvalboxError
from evalbox.host.address import check_exposed, check_tls, resolved, url_of
from evalbox.host.garbage import settle
from evalbox.host.notify import Notifier
from evalbox.host.preference import preferred
from evalbox.host.serving import Serving
from evalbox.host.sockets import NAME, listen_tcp
from evalbox.service.local import LocalBox

#: Seconds that the end of a service may take beyond its drain.
_CLOSING = 30.0


class Service:
    """``run`` serves from when no other process runs the queue until ``stop``.

    ``on_note`` is told in a line what is done.
    """

    def __init__(self, settings: Settings, *, on_note: Callable[[str], None]) -> None:
        self._settings = settings
        self._note = on_note
        self._notifier = Notifier()
        self._stop = asyncio.Event()
        self._at_once = asyncio.Event()
        self._listener: socket.socket | None = None
        self._address = ""
        self._keyless = False
        self._failure: EvalboxError | None = None

    def stop(self) -> None:
        """The first call lets what runs end, the second leaves it to the next start."""
        (self._at_once if self._stop.is_set() else self._stop).set()

    async def run(self) -> None:
        """Raises ``ConfigError`` where it may not or cannot listen as the settings say."""
        settings = self._settings
        check_tls(settings)
        self._address = await asyncio.to_thread(resolved, settings.host)
        box = await LocalBox.open(
            settings, work=True, warm=settings.warm, on_note=self._note, on_lock=self._prepare
        )
        try:
            if await self._has_its_turn(box):
                with preferred():
                    async with Serving(box, settings, listener=self._listener):
                        await self._serve(box)
        finally:
            await box.close(drain=0)
            if self._listener is not None:
                self._listener.close()
        if self._failure is not None:
            raise self._failure

    async def _prepare(self, box: LocalBox) -> None:
        """Before anything is run: what cannot be served is not begun."""
        settings = self._settings
        now = SystemClock().now()
        try:
            active = [key for key in await box.keys.list() if key.standing(now) is Standing.ACTIVE]
            self._keyless = not active
            check_exposed(self._address, settings, keys=bool(active))
            self._listener = listen_tcp(self._address, settings.port)
        except EvalboxError as error:
            # Who stood by for its turn has nobody to tell it to.
            self._failure = error
            self._stop.set()
            raise

    async def _has_its_turn(self, box: LocalBox) -> bool:
        """False where it was stopped before."""
        if (await box.queue()).here:
            return True
        self._note("standing by until that one ends; nothing is served meanwhile")
        self._notifier.status("standing by: another process runs the queue")
        async with self._notifier.waiting():
            turn, stop = (
                asyncio.create_task(event, name="stand-by")
                for event in (box.work_begun(), self._stop.wait())
            )
            try:
                await asyncio.wait((turn, stop), return_when=asyncio.FIRST_COMPLETED)
            finally:
                turn.cancel()
                stop.cancel()
                await asyncio.gather(turn, stop, return_exceptions=True)
        return not self._stop.is_set()

    async def _serve(self, box: LocalBox) -> None:
        queue = await box.queue()
        waiting = queue.states.get(State.QUEUED, 0)
        settings = self._settings
        port = self._listener.getsockname()[1] if self._listener else settings.port
        url = url_of(self._address, port, tls=bool(settings.tls_cert))
        ready = (
            f"evalbox {__version__} serves on {url} and {settings.data_dir / NAME}: "
            f"process {os.getpid()}, {queue.slots} at once on {settings.engine}, {waiting} queued"
        )
        self._note(ready)
        if self._keyless:
            self._note(
                "there is no key, so TCP answers nobody; make one with: "
                "evalbox keys create NAME --scope admin"
            )
        await asyncio.to_thread(settle)
        self._notifier.ready(ready)
        async with self._notifier.watched():
            await self._stop.wait()
            await self._drain(box)

    async def _drain(self, box: LocalBox) -> None:
        """What still runs when the time is up, or at a second call of ``stop``, is let go."""
        seconds = self._settings.drain
        if box.running_here and seconds:
            told = f"stopping: {box.running_here} that run get {format_duration(seconds)} to end"
            self._note(f"{told} (again to leave them to the next start)")
        self._notifier.stopping("stopping", seconds + _CLOSING)
        drained, at_once = (
            asyncio.create_task(work, name="drain")
            for work in (box.stop_working(drain=seconds), self._at_once.wait())
        )
        try:
            await asyncio.wait((drained, at_once), return_when=asyncio.FIRST_COMPLETED)
        finally:
            at_once.cancel()
            drained.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await drained
        states = (await box.queue()).states
        if left := sum(states.get(state, 0) for state in ACTIVE):
            self._note(f"{left} go on without this process, and are adopted by the next start")
