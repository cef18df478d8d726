"""One sitting at the terminal: the box is opened, shown, and left as was asked for."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager

from evalbox.domain.records import EvaluationFilter
from evalbox.domain.state import ACTIVE, State
from evalbox.errors import EvalboxError, InvalidTransition
from evalbox.service.box import Box
from evalbox.tui.ending import Ending
from evalbox.tui.environment import Options

Note = Callable[[str], None]
#: Opens the box; told where narration goes.
Open = Callable[[Note], AbstractAsyncContextManager[Box]]

#: Seconds between looks at whether the work of a process without a terminal is done.
_LOOK = 2.0
_PAGE = 1000


class _Left(Exception):
    """Has the box let go of what runs, for another process to adopt."""


class Sitting:
    """``drain`` is how many seconds what runs may go on after SIGTERM.

    ``on_note`` prints a line while no screen is shown.
    """

    def __init__(
        self, opening: Open, options: Options, *, where: str, drain: float, on_note: Note
    ) -> None:
        self._opening = opening
        self._options = options
        self._where = where
        self._drain = drain
        self._print = on_note
        self._note: Note = on_note
        self._stop = asyncio.Event()

    async def run(self) -> Ending:
        """Gives how it was left. ``LEAVE``: somebody has to run the queue from here on."""
        ending = Ending.QUIT
        try:
            async with asyncio.timeout(None) as closing, self._opening(self._told) as box:
                ending = await self._shown(box)
                self._hear(closing)
                await self._after(ending, box, closing)
        except _Left:
            pass
        except TimeoutError:
            self._told("what still runs is adopted by the next start")
        return ending

    def _told(self, text: str) -> None:
        self._note(text)

    async def _shown(self, box: Box) -> Ending:
        from evalbox.tui.app import MissionControl
        from evalbox.tui.terminal import show

        app = MissionControl(box, self._options, where=self._where)
        self._note = app.note
        try:
            return await show(app, mouse=self._options.mouse)
        finally:
            self._note = self._print

    def _hear(self, closing: asyncio.Timeout) -> None:
        """While the box closes, SIGTERM gives what runs a while, and a second one no more."""
        from evalbox.tui.terminal import let_go_of_terminal

        loop = asyncio.get_running_loop()

        def stop() -> None:
            closing.reschedule(loop.time() + (0 if self._stop.is_set() else self._drain))
            self._stop.set()

        loop.add_signal_handler(signal.SIGTERM, stop)
        if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
            loop.add_signal_handler(signal.SIGHUP, let_go_of_terminal)

    async def _after(self, ending: Ending, box: Box, closing: asyncio.Timeout) -> None:
        match ending:
            case Ending.LEAVE:
                raise _Left
            case Ending.CANCEL:
                await cancel_running(box)
            case Ending.STOP:
                self._stop.set()
                closing.reschedule(asyncio.get_running_loop().time() + self._drain)
            case Ending.GONE if not self._options.passing and (await box.queue()).here:
                await self._until_done(box)
            case _:
                pass

    async def _until_done(self, box: Box) -> None:
        """Works on without a terminal, until nothing is left to do or SIGTERM comes."""
        while not self._stop.is_set() and await _unfinished(box):
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_LOOK):
                    await self._stop.wait()


async def _unfinished(box: Box) -> bool:
    try:
        queue = await box.queue()
    except EvalboxError:
        # A full disk may be emptied, and what runs goes on meanwhile.
        return True
    active = sum(queue.states.get(state, 0) for state in ACTIVE)
    return bool(active or (queue.states.get(State.QUEUED, 0) and not queue.paused))


async def cancel_running(box: Box) -> None:
    """Cancels all that is under way, and minds what ends meanwhile."""
    while True:
        items = await box.list(EvaluationFilter(states=ACTIVE), limit=_PAGE)
        wanted = [item.id for item in items if not item.cancel_requested]
        if not wanted:
            return
        try:
            await box.cancel(wanted)
        except InvalidTransition:
            continue
