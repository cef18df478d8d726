"""Who submits what, and when."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from random import Random

from evalbox.demo.cast import AGENTS, BENCHMARKS, Agent, Benchmark, passes
from evalbox.demo.clock import HurryingClock
from evalbox.demo.scenes import SCORE, scene
from evalbox.domain.evaluation import EvaluationSpec, Priority
from evalbox.domain.limits import Limits
from evalbox.domain.retry import RetryPolicy
from evalbox.service.box import Box

IMAGE = "demo/tools:3.11"
#: Seconds between two batches, and between two evaluations that somebody tries by hand.
_BETWEEN_BATCHES, _BETWEEN_TRIES = 1_300.0, 40.0
_EPOCHS, _AT_ONCE = 2, 8
#: Of a hundred evaluations so many meet an engine that fails once, or one that always does.
_SHAKY, _LOST = 3, 1


class Play:
    """Submits to a box for as long as it runs. The same ``random`` gives the same play."""

    def __init__(self, box: Box, clock: HurryingClock, random: Random) -> None:
        self._box = box
        self._clock = clock
        self._random = random
        self._batches = 0

    async def run(self) -> None:
        """Never returns."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._nightly(), name="demo-batches")
            group.create_task(self._by_hand(), name="demo-tries")

    async def _nightly(self) -> None:
        while True:
            benchmark = BENCHMARKS[self._batches % len(BENCHMARKS)]
            self._batches += 1
            name = f"{benchmark.name}-{self._batches:02}"
            await self._box.set_batch_concurrency(name, _AT_ONCE)
            await self._box.submit(list(self._batch(name, benchmark)))
            await self._clock.sleep(self._random.uniform(0.7, 1.3) * _BETWEEN_BATCHES)

    def _batch(self, name: str, benchmark: Benchmark) -> Iterator[EvaluationSpec]:
        for epoch in range(1, _EPOCHS + 1):
            for agent in AGENTS:
                for task in benchmark.tasks:
                    labels = {"agent": agent.name, "epoch": str(epoch)}
                    one = self._spec(benchmark, task, agent)
                    yield replace(one, batch=name, labels=labels)

    async def _by_hand(self) -> None:
        while True:
            await self._clock.sleep(self._random.expovariate(1 / _BETWEEN_TRIES))
            random = self._random
            benchmark, agent = random.choice(BENCHMARKS), random.choice(AGENTS)
            one = self._spec(benchmark, random.choice(benchmark.tasks), agent)
            priority = random.choice((Priority.HIGH, Priority.NORMAL, Priority.LOW))
            later = self._clock.now() + random.uniform(60, 900) if random.random() < 0.15 else None
            await self._box.submit([replace(one, priority=priority, not_before=later)])

    def _spec(self, benchmark: Benchmark, task: str, agent: Agent) -> EvaluationSpec:
        random = self._random
        words = scene(
            benchmark,
            agent,
            passes(agent, benchmark, random),
            live=not self._clock.behind,
            random=random,
        )
        fate = random.randrange(100)
        if fate < _LOST:
            words = ["infra", ";", *words]
        elif fate < _LOST + _SHAKY:
            words = ["infra", "1", ";", *words]
        return EvaluationSpec(
            name=f"{benchmark.name}/{task}",
            command=tuple(words),
            image=IMAGE,
            engine="fake",
            limits=_cut(benchmark.limits),
            labels={"agent": agent.name},
            artifacts=(SCORE,),
            score=SCORE,
            retry=RetryPolicy(retries=0, infra_retries=2, base=5.0),
        )


def _cut(limits: Limits) -> Limits:
    """What is printed too much of is kept on this disk."""
    return replace(limits, output=64 * 1024)
