from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalbox.domain.attempt import Usage
from evalbox.domain.clock import ManualClock
from evalbox.errors import EngineError
from evalbox.monitor.sandboxes import SandboxSampler, peaks

usages = st.builds(
    Usage,
    cpu_seconds=st.floats(0, 1e6),
    memory=st.integers(0, 1 << 40),
    memory_peak=st.integers(0, 1 << 40),
    pids=st.integers(0, 1000),
    disk=st.integers(0, 1 << 40),
)


@given(usages, usages, usages)
def test_peaks_is_order_free_and_never_falls(one, two, three):
    assert peaks(one, two) == peaks(two, one)
    assert peaks(peaks(one, two), three) == peaks(one, peaks(two, three))
    both = peaks(one, two)
    assert peaks(both, one) == both
    assert both.memory_peak >= max(one.memory, two.memory)


class Steps:
    """Time that goes on only when a test says so."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self._next: asyncio.Queue[None] = asyncio.Queue()

    async def sleep(self, seconds: float) -> None:
        await self._next.get()
        self.clock.advance(seconds)

    async def go(self, count: int = 1) -> None:
        for _ in range(count):
            self._next.put_nowait(None)
            for _ in range(10):
                await asyncio.sleep(0)


@pytest.fixture
def steps() -> Steps:
    return Steps()


@pytest.fixture
def seen() -> list[tuple[str, int, Usage]]:
    return []


@pytest.fixture
async def sampler(steps: Steps, seen) -> AsyncIterator[SandboxSampler]:
    made = SandboxSampler(
        lambda *sample: seen.append(sample),
        clock=steps.clock, sleep=steps.sleep, first=0.25, interval=1.0, concurrency=2,
    )  # fmt: skip
    async with made:
        yield made
    assert len(asyncio.all_tasks()) == 1


class Source:
    def __init__(self, *samples: Usage | Exception | None) -> None:
        self.samples = list(samples)
        self.calls = 0

    async def __call__(self) -> Usage | None:
        self.calls += 1
        sample = self.samples.pop(0) if len(self.samples) > 1 else self.samples[0]
        if isinstance(sample, Exception):
            raise sample
        return sample


async def test_first_sample_soon_then_at_the_interval(sampler, steps, seen):
    source = Source(Usage(memory=1))
    sampler.watch("e", 1, source)
    await steps.go()
    assert source.calls == 1
    await steps.go(3)
    assert source.calls == 1
    await steps.go()
    assert source.calls == 2
    assert seen[0] == ("e", 1, Usage(memory=1, memory_peak=1))


async def test_own_interval(sampler, steps):
    source = Source(Usage())
    sampler.watch("e", 1, source, interval=0.25)
    await steps.go(4)
    assert source.calls == 4


async def test_peaks_are_kept_and_totals_never_fall(sampler, steps, seen):
    source = Source(Usage(cpu_seconds=2, memory=9, pids=5, disk=7), Usage(memory=3, pids=1, disk=2))
    sampler.watch("e", 1, source, interval=0.25)
    await steps.go(2)
    assert seen[-1][2] == Usage(cpu_seconds=2, memory=3, memory_peak=9, pids=1, disk=2)
    assert sampler.peaks("e", 1).disk == 7
    most = sampler.unwatch("e", 1, Usage(cpu_seconds=3))
    assert most == Usage(cpu_seconds=3, memory=9, memory_peak=9, pids=5, disk=7)
    assert sampler.unwatch("e", 1) == Usage()
    assert sampler.peaks("e", 1) == Usage()


async def test_failures_and_silence_are_no_samples(sampler, steps, seen):
    source = Source(EngineError("gone"), RuntimeError("bug"), None, Usage(memory=1))
    sampler.watch("e", 1, source, interval=0.25)
    await steps.go(4)
    assert source.calls == 4
    assert [usage.memory for _, _, usage in seen] == [1]


async def test_never_asked_twice_at_once_and_few_at_a_time(sampler, steps):
    asked: list[str] = []
    answer = asyncio.Event()

    def slow(name: str):
        async def usage() -> Usage:
            asked.append(name)
            await answer.wait()
            return Usage()

        return usage

    for name in "abc":
        sampler.watch(name, 1, slow(name), interval=0.25)
    await steps.go(3)
    assert asked == ["a", "b"]
    answer.set()
    await steps.go()
    assert asked[:3] == ["a", "b", "c"]


async def test_what_was_let_go_is_not_reported(sampler, steps, seen):
    answer = asyncio.Event()

    async def usage() -> Usage:
        await answer.wait()
        return Usage(memory=1)

    sampler.watch("e", 1, usage)
    await steps.go()
    sampler.unwatch("e", 1)
    answer.set()
    await steps.go()
    assert seen == []


async def test_an_answer_that_does_not_come_is_given_up(steps):
    calls = []

    async def usage() -> Usage:
        calls.append(1)
        await asyncio.Event().wait()
        raise AssertionError

    sampler = SandboxSampler(
        clock=steps.clock, sleep=steps.sleep, first=0.25, interval=0.25, patience=0.001
    )
    async with sampler:
        sampler.watch("e", 1, usage)
        await steps.go()
        await asyncio.sleep(0.01)
        await steps.go()
    assert len(calls) == 2


async def test_idle_while_nothing_is_watched(sampler, steps):
    await steps.go(3)
    assert steps.clock.monotonic() == 0
    sampler.watch("e", 1, Source(Usage()))
    await steps.go(0)
    for _ in range(10):
        await asyncio.sleep(0)
    assert steps.clock.monotonic() > 0
