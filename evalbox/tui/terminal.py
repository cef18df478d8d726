"""Runs the screen on a terminal, and outlives it.

Left to itself Textual dies with its terminal, and what this process runs with it: no ``finally``
is reached. So it runs inside a loop of ours, which hears the signals. When the terminal goes away,
standard input and output become ``/dev/null`` before the screen is told to end: it writes its last
sequences there, and what is read is an end and not an error for ever.
"""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from evalbox.tui.ending import Ending

if TYPE_CHECKING:
    from evalbox.tui.app import MissionControl

_DESCRIPTORS = (0, 1, 2)


async def show(app: MissionControl, *, mouse: bool) -> Ending:
    """Shows ``app`` until it is left, told to end, or its terminal goes away."""
    loop = asyncio.get_running_loop()
    ended: list[Ending] = []

    def end(ending: Ending) -> None:
        if not ended:
            ended.append(ending)
            app.exit(ending)

    def gone() -> None:
        let_go_of_terminal()
        end(Ending.GONE)

    factory = loop.get_task_factory()
    with hearing({signal.SIGHUP: gone, signal.SIGTERM: lambda: end(Ending.STOP)}):
        try:
            left = await app.run_async(mouse=mouse)
        finally:
            # Textual has it begin tasks at once where Python can, which the queue is not made for.
            loop.set_task_factory(factory)
    return ended[0] if ended else left or Ending.QUIT


@contextmanager
def hearing(handlers: dict[signal.Signals, Callable[[], None]]) -> Iterator[None]:
    """Has signals handled by the running loop for the length of a block.

    What ``nohup`` has made deaf to the end of a terminal stays so.
    """
    loop = asyncio.get_running_loop()
    heard = [
        number
        for number in handlers
        if number is not signal.SIGHUP or signal.getsignal(number) is not signal.SIG_IGN
    ]
    for number in heard:
        loop.add_signal_handler(number, handlers[number])
    try:
        yield
    finally:
        for number in heard:
            loop.remove_signal_handler(number)


def let_go_of_terminal() -> None:
    """Points standard input, output and error at nothing."""
    nothing = os.open(os.devnull, os.O_RDWR)
    for descriptor in _DESCRIPTORS:
        os.dup2(nothing, descriptor)
    if nothing not in _DESCRIPTORS:
        os.close(nothing)
