"""When a screen has done what a key asked of it; takes the place of textual's own guess."""

from __future__ import annotations

import asyncio
import time

#: Seconds in which nothing happens where everything is done.
STILL = 0.005
#: CPU seconds of this process, and seconds of being late, that count as nothing within ``STILL``.
TRIFLE = 0.001


async def settled(min_sleep: float = 0.0, max_sleep: float = 1.0) -> None:
    """Returns as soon as the process had nothing to do for a while; at the latest in ``max_sleep``.

    Textual waits for 20 ms with next to no work, which the box beside the screen, in the same
    process, does not leave: it waited five times as long for nothing. And it takes a process that
    is given no processor for one that has no work; here one that is late is not still.
    """
    began = time.monotonic()
    while True:
        at, cpu = time.monotonic(), time.process_time()
        await asyncio.sleep(STILL)
        now = time.monotonic()
        late = now - at - STILL
        still = late < TRIFLE and time.process_time() - cpu < TRIFLE
        if now - began >= max_sleep or (still and now - began > min_sleep):
            return
