"""What the service costs while nothing is to be done."""

from __future__ import annotations

import asyncio
import os
import subprocess
from pathlib import Path

import psutil

from evalbox.bench.report import Figure, Goal
from evalbox.bench.service import own_command
from evalbox.errors import EvalboxError

_SETTLE = 5.0


async def idle(directory: Path, seconds: float) -> list[Figure]:
    """Processor and memory of ``evalbox --serve`` over so many seconds."""
    service = await asyncio.create_subprocess_exec(
        *own_command(),
        "--data-dir",
        str(directory / "idle"),
        "--serve",
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=os.environ | {"EVALBOX_WARM": "0"},
    )
    try:
        await asyncio.sleep(_SETTLE)
        if service.returncode is not None:
            raise EvalboxError(f"the service ended with status {service.returncode}")
        process = psutil.Process(service.pid)
        process.cpu_percent()
        await asyncio.sleep(seconds)
        cpu, memory = process.cpu_percent(), process.memory_info().rss
    finally:
        if service.returncode is None:
            service.terminate()
        await service.wait()
    return [
        Figure("idle service: processor", cpu, "% of a core", 1, Goal("<=", 1)),
        Figure("idle service: memory", memory / (1 << 20), "MiB", 1, Goal("<=", 120)),
    ]
