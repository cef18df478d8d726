"""``python -m evalbox.bench.lagging FILE ...`` is ``evalbox ...``, with its event loop watched.

Without more than FILE it does nothing until SIGTERM: what its loop lags is the machine's doing.

At the end FILE has a line for each look: when it was, in seconds of the monotonic clock, and how
many seconds later it came than it was due.
"""

from __future__ import annotations

import asyncio
import runpy
import signal
import sys
from pathlib import Path

_PERIOD = 0.005


class _Watch:
    def __init__(self) -> None:
        self.found: list[tuple[float, float]] = []

    def begin(self, loop: asyncio.AbstractEventLoop) -> None:
        due = loop.time() + _PERIOD
        loop.call_at(due, self._look, loop, due)

    def _look(self, loop: asyncio.AbstractEventLoop, due: float) -> None:
        self.found.append((due, loop.time() - due))
        self.begin(loop)


class _Watched(asyncio.DefaultEventLoopPolicy):
    def __init__(self, watch: _Watch) -> None:
        super().__init__()
        self._watch = watch

    def new_event_loop(self) -> asyncio.AbstractEventLoop:
        loop = super().new_event_loop()
        loop.call_soon(self._watch.begin, loop)
        return loop


async def _nothing() -> None:
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    await stop.wait()


def read(file: Path) -> list[tuple[float, float]]:
    """What was written into ``file``."""
    lines = file.read_text().splitlines()
    return [(float(when), float(lag)) for when, lag in (line.split() for line in lines)]


def main() -> None:
    file = Path(sys.argv[1])
    sys.argv = ["evalbox", *sys.argv[2:]]
    watch = _Watch()
    asyncio.set_event_loop_policy(_Watched(watch))
    try:
        if len(sys.argv) > 1:
            runpy.run_module("evalbox", run_name="__main__")
        else:
            asyncio.run(_nothing())
    finally:
        file.write_text("".join(f"{when:.6f} {lag:.6f}\n" for when, lag in watch.found))


if __name__ == "__main__":
    main()
