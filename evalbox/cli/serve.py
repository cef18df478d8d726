"""``evalbox --serve``: runs the queue, headless."""

from __future__ import annotations

import asyncio
import signal

from evalbox import __version__
from evalbox.cli.session import Session

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


def serve_until_stopped(session: Session) -> int:
    """Returns when it was told to stop and what it ran has ended.

    The first signal lets what runs end, the second leaves it to be adopted by the next start.
    """
    return asyncio.run(_serve(session))


async def _serve(session: Session) -> int:
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    for number in _SIGNALS:
        loop.add_signal_handler(number, stop.set)
    console = session.console
    session.start_logging(always=True)
    async with session.box(work=True, warm=session.settings.warm) as box:
        queue = await box.queue()
        role = "runs" if queue.here else "stands by to run"
        console.note(
            f"evalbox {__version__} {role} the queue of {session.settings.data_dir}: "
            f"{queue.slots} at once, on {session.settings.engine}"
        )
        await stop.wait()
        console.note("stopping: what runs is let end (again to leave it for the next start)")
        body = asyncio.current_task()
        if body is not None:
            for number in _SIGNALS:
                loop.add_signal_handler(number, body.cancel)
    return 0
