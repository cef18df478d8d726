"""What the running sandboxes use."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace

from evalbox.domain.attempt import Usage
from evalbox.domain.clock import Clock
from evalbox.errors import EvalboxError
from evalbox.telemetry.logs import get_logger

_log = get_logger("monitor")

Key = tuple[str, int]
OnSample = Callable[[str, int, Usage], None]


def peaks(one: Usage, other: Usage) -> Usage:
    """The greater of each figure: totals are the later ones, the rest has been the most."""
    return Usage(
        cpu_seconds=max(one.cpu_seconds, other.cpu_seconds),
        memory=max(one.memory, other.memory),
        memory_peak=max(one.memory_peak, other.memory_peak, one.memory, other.memory),
        pids=max(one.pids, other.pids),
        disk=max(one.disk, other.disk),
        read_bytes=max(one.read_bytes, other.read_bytes),
        written_bytes=max(one.written_bytes, other.written_bytes),
    )


@dataclass(slots=True, eq=False)
class _Watched:
    key: Key
    usage: Callable[[], Awaitable[Usage | None]]
    interval: float
    due: float
    busy: bool = False
    peaks: Usage = field(default_factory=Usage)


class SandboxSampler:
    """Asks each watched sandbox for its usage every so often, and keeps the peaks.

    ``on_sample`` is called with the evaluation's id, the attempt's number and each sample as it
    comes, its totals and ``memory_peak`` never falling. The first comes ``first`` seconds after
    ``watch``, the others ``interval`` seconds apart. At most ``concurrency`` sandboxes are asked
    at once, and what does not answer within ``patience`` seconds is asked again later.

    Used as an asynchronous context manager. Idle while nothing is watched.
    """

    def __init__(
        self,
        on_sample: OnSample | None = None,
        *,
        clock: Clock,
        interval: float = 1.0,
        first: float = 0.1,
        concurrency: int = 4,
        patience: float = 10.0,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        self._on_sample = on_sample
        self._clock = clock
        self._interval = interval
        self._first = first
        self._patience = patience
        self._sleep = sleep
        self._slots = asyncio.Semaphore(concurrency)
        self._watched: dict[Key, _Watched] = {}
        self._wanted = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._asking: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> SandboxSampler:
        self._task = asyncio.create_task(self._run(), name="sandbox-sampler")
        return self

    async def __aexit__(self, *_: object) -> None:
        tasks = [task for task in (self._task, *self._asking) if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._task = None

    def watch(
        self,
        evaluation_id: str,
        attempt: int,
        usage: Callable[[], Awaitable[Usage | None]],
        *,
        interval: float | None = None,
    ) -> None:
        """Samples ``usage`` (a sandbox's method) until ``unwatch``."""
        key = (evaluation_id, attempt)
        due = self._clock.monotonic() + self._first
        self._watched[key] = _Watched(key, usage, interval or self._interval, due)
        self._wanted.set()

    def unwatch(self, evaluation_id: str, attempt: int, last: Usage | None = None) -> Usage:
        """Ends the watch; the peaks of all samples and of ``last``. Fine if it was not watched."""
        watched = self._watched.pop((evaluation_id, attempt), None)
        seen = watched.peaks if watched else Usage()
        return peaks(seen, last) if last else seen

    def peaks(self, evaluation_id: str, attempt: int) -> Usage:
        """The peaks so far; nothing for what is not watched."""
        watched = self._watched.get((evaluation_id, attempt))
        return watched.peaks if watched else Usage()

    async def _run(self) -> None:
        while True:
            if not self._watched:
                self._wanted.clear()
                await self._wanted.wait()
            # Steps rather than an alarm for each: what comes and goes within one costs nothing.
            await self._sleep(min(self._first, self._interval))
            now = self._clock.monotonic()
            for watched in self._watched.values():
                if watched.due <= now and not watched.busy:
                    watched.busy = True
                    watched.due = now + watched.interval
                    self._ask_soon(watched)

    def _ask_soon(self, watched: _Watched) -> None:
        task = asyncio.create_task(self._ask(watched))
        self._asking.add(task)
        task.add_done_callback(self._asking.discard)

    async def _ask(self, watched: _Watched) -> None:
        try:
            async with self._slots, asyncio.timeout(self._patience):
                usage = await watched.usage()
            if usage is not None and self._watched.get(watched.key) is watched:
                self._note(watched, usage)
        except (EvalboxError, TimeoutError) as error:
            # Those who run the sandbox learn of its end by themselves.
            _log.debug("sandbox not sampled", evaluation=watched.key[0], error=str(error))
        except Exception as error:
            _log.warning("sandbox not sampled", evaluation=watched.key[0], error=repr(error))
        finally:
            watched.busy = False

    def _note(self, watched: _Watched, usage: Usage) -> None:
        most = watched.peaks = peaks(watched.peaks, usage)
        if self._on_sample is not None:
            sample = replace(most, memory=usage.memory, pids=usage.pids, disk=usage.disk)
            self._on_sample(*watched.key, sample)
