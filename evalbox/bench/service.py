"""A service in a process of its own, to be measured from outside."""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from evalbox.config.settings import Settings
from evalbox.domain.access import Scope
from evalbox.errors import EvalboxError
from evalbox.host.sockets import NAME
from evalbox.service.remote.box import RemoteBox
from evalbox.service.remote.client import Client

#: Seconds that it may take to start, and to stop.
_START, _STOP = 60.0, 60.0
_LOOK = 0.05
#: So that what is measured is the service, and not what holds it back.
UNHINDERED = {
    "EVALBOX_WARM": "0",
    "EVALBOX_MEMORY_PERCENT": "100",
    "EVALBOX_LOAD_PER_CORE": "1000",
    "EVALBOX_CPU_OVERCOMMIT": "1000",
    "EVALBOX_MEMORY_OVERCOMMIT": "1000",
    "EVALBOX_RATE_LIMIT": "100000",
    "EVALBOX_RATE_BURST": "100000",
}


@dataclass(frozen=True, slots=True)
class Service:
    """``key`` may do everything; on the Unix ``socket`` none is asked for."""

    process: psutil.Process
    box: RemoteBox
    socket: str
    port: int
    key: str

    def processor_seconds(self) -> float:
        times = self.process.cpu_times()
        return float(times.user + times.system)


@asynccontextmanager
async def running(
    directory: Path, settings: Settings, environment: Mapping[str, str]
) -> AsyncIterator[Service]:
    """``evalbox --serve`` on a data directory, for the length of a block."""
    port = _free_port()
    said = directory.with_suffix(".log")
    with said.open("wb") as log:
        service = await asyncio.create_subprocess_exec(
            *own_command(),
            *("--data-dir", str(directory), "--serve", "--port", str(port)),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=log,
            env=dict(os.environ)
            | UNHINDERED
            | {"EVALBOX_DOCKER_HOST": settings.docker_host, "EVALBOX_DRAIN": "0"}
            | dict(environment),
        )
    path = str(directory / NAME)
    box = RemoteBox(Client("http://box", socket=path))
    try:
        await _ready(box, service, said)
        _, key = await box.keys.create("bench", [Scope.ADMIN])
        yield Service(psutil.Process(service.pid), box, path, port, key)
    finally:
        await box.close()
        await _stop(service)


async def _ready(box: RemoteBox, service: asyncio.subprocess.Process, said: Path) -> None:
    async with asyncio.timeout(_START):
        while True:
            if service.returncode is not None:
                told = (await asyncio.to_thread(said.read_text, errors="replace")).strip()
                raise EvalboxError(f"the service ended with status {service.returncode}: {told}")
            try:
                if (await box.queue()).working:
                    return
            except EvalboxError:
                pass
            await asyncio.sleep(_LOOK)


async def _stop(service: asyncio.subprocess.Process) -> None:
    if service.returncode is None:
        service.terminate()
    try:
        async with asyncio.timeout(_STOP):
            await service.wait()
    except TimeoutError:
        service.kill()
        await service.wait()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def own_command() -> list[str]:
    """This program again; a frozen one is its own interpreter."""
    if getattr(sys, "frozen", False):
        return [sys.executable]
    return [sys.executable, "-m", "evalbox"]
