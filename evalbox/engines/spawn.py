"""The one place that starts programs of the host."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress

_LIBRARY_PATH = "LD_LIBRARY_PATH"


def host_environment() -> dict[str, str]:
    """The environment for programs of the host.

    A frozen binary runs with the library path of its own bundle, and keeps the user's beside it:
    programs that are not part of the bundle must get the user's.
    """
    environment = dict(os.environ)
    if getattr(sys, "frozen", False):
        original = environment.pop(_LIBRARY_PATH + "_ORIG", None)
        if original is None:
            environment.pop(_LIBRARY_PATH, None)
        else:
            environment[_LIBRARY_PATH] = original
    return environment


@asynccontextmanager
async def spawned(
    command: Sequence[str],
    *,
    stdin: int = asyncio.subprocess.DEVNULL,
    stdout: int = asyncio.subprocess.PIPE,
    stderr: int = asyncio.subprocess.PIPE,
    grace: float = 0.0,
) -> AsyncIterator[asyncio.subprocess.Process]:
    """A program of the host in a process group of its own, which ends with the block.

    Where it still runs by then it is asked to end, given ``grace`` seconds, and killed. Raises
    ``OSError`` where it cannot be started.
    """
    process = await asyncio.create_subprocess_exec(
        *command,
        stdin=stdin,
        stdout=stdout,
        stderr=stderr,
        env=host_environment(),
        start_new_session=True,
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            await asyncio.shield(_ended(process, grace))


async def _ended(process: asyncio.subprocess.Process, grace: float) -> None:
    if grace:
        _signal(process, signal.SIGTERM)
        with suppress(TimeoutError):
            await asyncio.wait_for(process.wait(), grace)
    _signal(process, signal.SIGKILL)
    await process.wait()


def _signal(process: asyncio.subprocess.Process, number: int) -> None:
    """To the whole group, which may outlive its first process."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, number)
