"""What the host is busy with."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import psutil

from evalbox.domain.clock import Clock
from evalbox.domain.host import HostSample
from evalbox.monitor.history import History
from evalbox.telemetry.logs import get_logger

#: Not counted as traffic of the host: it would count what the sandboxes send twice.
_VIRTUAL = ("lo", "veth", "docker", "br-", "virbr", "tap")

_log = get_logger("monitor")


class HostSampler:
    """Reads the host. Percentages and rates are those since this sampler's last reading."""

    def __init__(self, data_dir: Path, clock: Clock) -> None:
        self._data_dir = data_dir
        self._clock = clock
        self._cpu_times = _cpu_times()
        self._cores = (0.0,) * len(self._cpu_times)
        self._traffic = _traffic()
        self._read_at = clock.monotonic()
        self._rates = (0.0, 0.0)

    def read(self) -> HostSample:
        """A sample; takes about 0.3 ms, more where the data directory is on a slow network."""
        self._measure_cores()
        self._measure_traffic()
        memory, swap = psutil.virtual_memory(), psutil.swap_memory()
        disk = psutil.disk_usage(str(self._data_dir))
        now = self._clock.now()
        return HostSample(
            at=now,
            cpu=sum(self._cores) / len(self._cores),
            cores=self._cores,
            memory_total=memory.total,
            memory_used=memory.total - memory.available,
            swap_total=swap.total,
            swap_used=swap.used,
            disk_total=disk.total,
            disk_used=disk.used,
            disk_free=disk.free,
            load=os.getloadavg(),
            received_rate=self._rates[0],
            sent_rate=self._rates[1],
            uptime=max(0.0, now - psutil.boot_time()),
        )

    async def sample(self) -> HostSample:
        """A sample, without holding up the event loop. One call at a time."""
        return await asyncio.to_thread(self.read)

    def _measure_cores(self) -> None:
        # Not psutil.cpu_percent: what it compares with is shared by the whole process.
        before, after = self._cpu_times, _cpu_times()
        self._cpu_times = after
        if len(before) != len(after):  # a core was switched on or off
            self._cores = (0.0,) * len(after)
            return
        known = zip(before, after, self._cores, strict=True)
        self._cores = tuple(_busy(old, new, last) for old, new, last in known)

    def _measure_traffic(self) -> None:
        now, after = self._clock.monotonic(), _traffic()
        seconds = now - self._read_at
        if seconds > 0:
            # A device that went away takes its counters with it.
            received, sent = (
                max(0, new - old) for new, old in zip(after, self._traffic, strict=True)
            )
            self._rates = (received / seconds, sent / seconds)
            self._traffic, self._read_at = after, now


class HostMonitor:
    """Samples the host every ``interval`` seconds, and keeps the last ``keep`` samples.

    Used as an asynchronous context manager; the first sample is there on entry.
    """

    def __init__(
        self,
        sampler: HostSampler,
        *,
        interval: float = 1.0,
        keep: int = 900,
        on_sample: Callable[[HostSample], None] | None = None,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        self.history: History[HostSample] = History(keep)
        self._sampler = sampler
        self._interval = interval
        self._on_sample = on_sample
        self._sleep = sleep
        self._task: asyncio.Task[None] | None = None

    @property
    def latest(self) -> HostSample | None:
        return self.history.latest

    async def __aenter__(self) -> HostMonitor:
        await self._sample()
        self._task = asyncio.create_task(self._run(), name="host-monitor")
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None

    async def _run(self) -> None:
        while True:
            await self._sleep(self._interval)
            await self._sample()

    async def _sample(self) -> None:
        try:
            sample = await self._sampler.sample()
            self.history.append(sample)
            if self._on_sample is not None:
                self._on_sample(sample)
        except Exception as error:
            # A figure that is missing must not end the watch, nor the service.
            _log.warning("host not sampled", error=str(error))


def _cpu_times() -> list[Any]:
    return psutil.cpu_times(percpu=True)


def _busy(before: Any, after: Any, last: float) -> float:
    """Percent of the time between two readings; ``last`` where no time has passed."""
    total = _total(after) - _total(before)
    if total <= 0:
        return last
    idle = _idle(after) - _idle(before)
    return min(100.0, max(0.0, 100.0 * (1.0 - idle / total)))


def _total(times: Any) -> float:
    # The kernel counts the time of guests as user time already.
    guests = getattr(times, "guest", 0.0) + getattr(times, "guest_nice", 0.0)
    return float(sum(times) - guests)


def _idle(times: Any) -> float:
    return float(times.idle + getattr(times, "iowait", 0.0))


def _traffic() -> tuple[int, int]:
    """Bytes received and sent by the devices that lead out of the host."""
    devices = psutil.net_io_counters(pernic=True)
    real = [count for name, count in devices.items() if not name.startswith(_VIRTUAL)]
    return sum(count.bytes_recv for count in real), sum(count.bytes_sent for count in real)
