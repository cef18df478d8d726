"""What a sandbox has used: its control group, and what it wrote."""

from __future__ import annotations

import asyncio
import os
import time
from contextlib import suppress
from dataclasses import replace
from typing import Any

from evalbox.domain.attempt import Usage
from evalbox.engines.docker.cgroup import meter_of
from evalbox.engines.docker.client import Client
from evalbox.engines.docker.disk import Filestore
from evalbox.engines.docker.ending import killed_by
from evalbox.engines.docker.wire import Request
from evalbox.errors import EvalboxError

#: Seconds between two looks at what a runc sandbox has written: the engine walks all its files.
_WALK_INTERVAL = 1.0


class Gauge:
    """Reads the control group of process ``pid`` directly; asks the engine where it cannot.

    The last reading is kept, so that what has ended can still be told. ``killed_by`` is the signal
    that ended the process, and ``oom_killed`` whether the kernel killed for want of memory, where
    that was seen.
    """

    def __init__(
        self,
        client: Client,
        container: str,
        pid: int,
        *,
        gvisor: bool,
        mounted: tuple[str, ...] = (),
    ) -> None:
        self._client = client
        self._container = container
        self._pid = pid
        self._meter = meter_of(pid, container) if pid else None
        self._filestore = Filestore(pid, container, mounted) if gvisor and pid else None
        self._walked_at = 0.0
        self._last: Usage | None = None
        self._watch: tuple[asyncio.AbstractEventLoop, int] | None = None
        self.killed_by: int | None = None
        self.oom_killed = False

    def watch(self) -> None:
        """Sees to a reading at the moment when the first process ends.

        Its control group is gone some 30 ms later, and with it what a short job has used.
        """
        if self._meter is None or self._watch is not None:
            return
        self._sample()
        with suppress(OSError):
            loop, handle = asyncio.get_running_loop(), os.pidfd_open(self._pid)
            self._watch = loop, handle
            loop.add_reader(handle, self._at_end)

    def close(self) -> None:
        """Ends the watch."""
        if self._watch is not None:
            loop, handle = self._watch
            self._watch = None
            loop.remove_reader(handle)
            os.close(handle)

    async def read(self) -> Usage | None:
        """A reading; None where nothing could ever be read."""
        if self._meter is None:
            await self._ask()
        else:
            self._sample()
            if self._filestore is None:
                await self._walk()
        return self._last

    def _at_end(self) -> None:
        if self._meter is not None:
            self.oom_killed = self._meter.oom_kills() > 0
        if self._watch is not None:
            self.killed_by = killed_by(self._pid, self._watch[1])
        self.close()
        self._sample()

    def _sample(self) -> None:
        """Takes 0.2 ms, so that it may be done on the event loop."""
        now = self._meter.read() if self._meter else None
        if now is not None:
            self._keep(now, self._filestore.used() if self._filestore else 0)

    def _keep(self, now: Usage, disk: int) -> None:
        before = self._last.disk if self._last else 0
        self._last = replace(now, disk=max(before, disk))

    async def _walk(self) -> None:
        if time.monotonic() - self._walked_at < _WALK_INTERVAL:
            return
        self._walked_at = time.monotonic()
        with suppress(EvalboxError):
            found = await self._client.ask(
                Request("GET", f"/containers/{self._container}/json", {"size": 1})
            )
            if self._last:
                self._keep(self._last, int(found.get("SizeRw") or 0))

    async def _ask(self) -> None:
        with suppress(EvalboxError):
            stats = await self._client.call(
                lambda api: api.stats(self._container, stream=False, one_shot=True)
            )
            if usage := _usage(stats):
                self._keep(usage, 0)


def _usage(stats: dict[str, Any]) -> Usage | None:
    memory = stats.get("memory_stats") or {}
    if "usage" not in memory:
        return None
    used = int(memory["usage"])
    moved = (stats.get("blkio_stats") or {}).get("io_service_bytes_recursive") or []
    return Usage(
        cpu_seconds=stats["cpu_stats"]["cpu_usage"]["total_usage"] / 1e9,
        memory=used,
        memory_peak=int(memory.get("max_usage") or used),
        pids=int((stats.get("pids_stats") or {}).get("current") or 0),
        read_bytes=sum(item["value"] for item in moved if item["op"].lower() == "read"),
        written_bytes=sum(item["value"] for item in moved if item["op"].lower() == "write"),
    )
