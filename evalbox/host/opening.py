"""Opens the box that the settings mean."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, nullcontext
from functools import partial
from typing import TYPE_CHECKING

from evalbox.config.settings import Settings
from evalbox.domain.state import ACTIVE
from evalbox.errors import ServiceUnreachable
from evalbox.host.attaching import Note, attach, reach
from evalbox.service.box import Box
from evalbox.telemetry.logs import get_logger

if TYPE_CHECKING:
    from evalbox.host.serving import Serving
    from evalbox.service.local import LocalBox

log = get_logger(__name__)

#: Seconds that a process works before it also serves: most commands are over by then, and never
#: pay for loading a server.
_SETTLED = 1.0
#: Seconds that a service which went away gets to come back before its work is done here, and
#: between looks at whether it has.
_RETURN, _LOOK = 10.0, 0.1


@asynccontextmanager
async def open_box(
    settings: Settings, *, work: bool, warm: int = 0, on_note: Note
) -> AsyncIterator[Box]:
    """The box at the settings' URL, or that of the data directory.

    The latter is reached through the socket of the process that runs it, where one does; else it
    is opened here, and with ``work`` its queue is run here, with ``warm`` sandboxes kept ready.
    Where the process at the other end goes away, the box that is given goes on without it.
    ``on_note`` is told in a line what is done.
    """
    async with AsyncExitStack() as stack:
        if settings.url:
            yield await reach(settings, stack, on_note=on_note)
            return
        opened = partial(_opened_here, settings, work=work, warm=warm, on_note=on_note)
        attached = await attach(settings.data_dir, stack)
        if attached is None:
            yield await stack.enter_async_context(opened())
            return
        from evalbox.service.remote.steady import SteadyBox

        noted = -_RETURN

        async def again(error: ServiceUnreachable) -> Box:
            nonlocal noted
            # One that is about to end may answer a last time.
            now = asyncio.get_running_loop().time()
            if now - noted >= _RETURN:
                on_note("the service went away: looking for another")
                noted = now
            await asyncio.sleep(_LOOK)
            returned = await _returned(settings, stack)
            if returned is not None:
                return returned
            return await stack.enter_async_context(opened())

        yield SteadyBox(attached, again)


async def _returned(settings: Settings, stack: AsyncExitStack) -> Box | None:
    """The box through its socket again, if a service is back on it soon."""
    loop = asyncio.get_running_loop()
    end = loop.time() + _RETURN
    while True:
        attached = await attach(settings.data_dir, stack)
        if attached is not None or loop.time() >= end:
            return attached
        await asyncio.sleep(_LOOK)


@asynccontextmanager
async def _opened_here(
    settings: Settings, *, work: bool, warm: int, on_note: Note
) -> AsyncIterator[Box]:
    """Closes orderly: what this process still runs is let end, unless that is interrupted."""
    from evalbox.service.local import LocalBox

    box = await LocalBox.open(settings, work=work, warm=warm, on_note=on_note)
    try:
        async with _working(box, settings, on_note) if work else nullcontext():
            yield box
            others = await _still_running(box)
            if others:
                on_note(f"waiting for {others} more that run here (Ctrl-C leaves them to the next)")
            await box.stop_working()
        await box.close()
    except BaseException:
        await box.close(drain=0)
        raise


async def _still_running(box: LocalBox) -> int:
    """How many evaluations this process is still needed for."""
    if not box.running_here:
        return 0
    states = (await box.queue()).states
    # An attempt lasts a little longer than its evaluation, until its sandbox is gone.
    return min(box.running_here, sum(states.get(state, 0) for state in ACTIVE))


@asynccontextmanager
async def _working(box: LocalBox, settings: Settings, on_note: Note) -> AsyncIterator[None]:
    """Says when work is begun here, and lets others attach where that takes long."""

    async def tell() -> None:
        await box.attempt_begun()
        on_note("no service runs here: this command runs the queue until it ends")

    async def serve() -> None:
        await box.work_begun()
        await asyncio.sleep(_SETTLED)
        async with (await asyncio.to_thread(_load_serving))(box, settings):
            await asyncio.Event().wait()

    tasks = [asyncio.create_task(work(), name=work.__name__) for work in (tell, serve)]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        for ended in await asyncio.gather(*tasks, return_exceptions=True):
            if isinstance(ended, Exception):
                log.error("the box was not served", error=str(ended))


def _load_serving() -> type[Serving]:
    """In a thread: it takes half a second of processor time."""
    from evalbox.host.serving import Serving

    return Serving
