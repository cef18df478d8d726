"""``evalbox --serve``: the service, headless."""

from __future__ import annotations

import asyncio
import signal

from evalbox.cli.session import Session

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


def serve_until_stopped(session: Session) -> int:
    """Returns when it was told to stop by a signal and has ended.

    The first lets what runs end within the drain, the second leaves it to the next start.
    """
    session.keep_here("--serve")
    return asyncio.run(_serve(session))


async def _serve(session: Session) -> int:
    from evalbox.host.service import Service

    session.start_logging(always=True)
    service = Service(session.settings, on_note=session.console.note)
    loop = asyncio.get_running_loop()
    for number in _SIGNALS:
        loop.add_signal_handler(number, service.stop)
    # What nohup has made deaf to the end of a terminal stays so.
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
        loop.add_signal_handler(signal.SIGHUP, service.stop)
    await service.run()
    return 0
