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
) -> AsyncIterator[asyncio.subprocess.Process]:
    """A program of the host in a process group of its own, which is killed at the latest on exit."""
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
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)
            await asyncio.shield(process.wait())
