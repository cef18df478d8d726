"""What a program in a sandbox prints, collected up to a bound."""

from __future__ import annotations

import asyncio

from evalbox.domain.sandbox import ExecReport
from evalbox.service.sandbox_box import SandboxExec


async def collect(running: SandboxExec, stdin: bytes, limit: int) -> ExecReport:
    """Reads a program to its end and closes it; ``limit`` bytes of each stream are kept."""
    kept = {1: bytearray(), 2: bytearray()}
    truncated = dict.fromkeys(kept, False)
    feeding = asyncio.create_task(_feed(running, stdin), name="exec-stdin")
    try:
        async for piece in running.output():
            room = limit - len(kept[piece.stream])
            kept[piece.stream] += piece.data[:room]
            truncated[piece.stream] |= len(piece.data) > room
        end = await running.wait()
    finally:
        feeding.cancel()
        await asyncio.gather(feeding, return_exceptions=True)
        await running.close()
    return ExecReport(end, bytes(kept[1]), bytes(kept[2]), truncated[1], truncated[2])


async def _feed(running: SandboxExec, stdin: bytes) -> None:
    if stdin:
        await running.write(stdin)
    await running.close_stdin()
