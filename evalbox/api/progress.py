"""Long work, told line by line as server-sent events."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TypeVar

from evalbox.api import problems
from evalbox.api.sse import EventStream, frame
from evalbox.errors import EvalboxError
from evalbox.service.images import Progress
from evalbox.wire.problem import problem

T = TypeVar("T")

#: Lines of progress that wait for a reader; of more the oldest are left out.
_WAITING_LINES = 1000


def told(work: Callable[[Progress], Awaitable[T]], ending: Callable[[T], bytes]) -> EventStream:
    """``progress`` with each line, then what ``ending`` makes of the result, or ``problem``."""
    return EventStream(_frames(work, ending))


async def _frames(
    work: Callable[[Progress], Awaitable[T]], ending: Callable[[T], bytes]
) -> AsyncIterator[bytes]:
    """Ends the work where its client goes away."""
    lines: asyncio.Queue[str | None] = asyncio.Queue()

    def tell(line: str) -> None:
        if lines.qsize() >= _WAITING_LINES:
            lines.get_nowait()
        lines.put_nowait(line)

    task = asyncio.ensure_future(work(tell))
    task.add_done_callback(lambda _: lines.put_nowait(None))
    try:
        while (line := await lines.get()) is not None:
            yield frame("progress", {"line": line})
        try:
            yield ending(task.result())
        except EvalboxError as error:
            yield frame("problem", problem(error, problems.status_of(error)))
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
