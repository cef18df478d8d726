"""Whatever readers of the feed do, each gets every event that fits, once and in order."""

from __future__ import annotations

import asyncio
import json
import tempfile
from collections.abc import Sequence
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from recovery_support import settings_in, spec

from evalbox.api.feed.encoding import FRAMED
from evalbox.api.feed.hub import Hub
from evalbox.api.feed.ring import Selection
from evalbox.engines.fake import FakeEngine
from evalbox.service.local import LocalBox

#: Indices of evaluations: the first two are in batch x, the third is in none.
BATCHES = ("x", "x", None)


@dataclass(frozen=True)
class Plan:
    """``patience`` is how many bursts it lets pass between chunks, ``stays`` how many chunks it
    takes before it connects anew."""

    selection: tuple[int | None, str | None]
    begins: int
    patience: int
    stays: int


plans = st.builds(
    Plan,
    st.tuples(st.sampled_from([None, None, 0, 1, 2]), st.sampled_from([None, None, "x", "y"])),
    st.integers(0, 6),
    st.integers(0, 3),
    st.integers(1, 6),
)
bursts = st.lists(st.lists(st.integers(0, 2), max_size=12), min_size=1, max_size=8)


class Follower:
    def __init__(self, hub: Hub, plan: Plan, selection: Selection, after: int) -> None:
        self._hub = hub
        self._plan = plan
        self._selection = selection
        self._position = after
        self.seen: list[int] = []
        self.burst = asyncio.Condition()

    async def run(self) -> None:
        while True:
            async with (
                self._hub.reading(self._selection, self._position) as reader,
                aclosing(reader.chunks(FRAMED)) as chunks,
            ):
                taken = 0
                async for text in chunks:
                    taken += self._take(json.loads(text))
                    if taken == self._plan.stays:
                        break
                    await self._pause()

    def _take(self, frame: dict[str, object]) -> int:
        """How many frames of events that was."""
        if frame["type"] != "events":
            return 0
        events = frame["events"]
        assert isinstance(events, list)
        self.seen += [event["seq"] for event in events]
        self._position = self.seen[-1]
        return 1

    async def _pause(self) -> None:
        for _ in range(self._plan.patience):
            async with self.burst:
                try:
                    async with asyncio.timeout(0.02):
                        await self.burst.wait()
                except TimeoutError:
                    return


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(capacity=st.integers(1, 8), readers=st.lists(plans, min_size=1, max_size=5), log=bursts)
def test_each_reader_gets_every_event_once_and_in_order(
    capacity: int, readers: Sequence[Plan], log: Sequence[Sequence[int]]
) -> None:
    with tempfile.TemporaryDirectory() as directory:
        asyncio.run(_check(Path(directory), capacity, readers, log))


async def _check(
    directory: Path, capacity: int, plans: Sequence[Plan], log: Sequence[Sequence[int]]
) -> None:
    engine = FakeEngine()
    box = await LocalBox.open(settings_in(directory), work=False, engines=[engine])
    hub = Hub(box, interval=0.001, capacity=capacity)
    await hub.start()
    tasks = []
    try:
        made = await box.submit([spec("true", batch=batch) for batch in BATCHES])
        ids = [evaluation.id for evaluation in made]
        begun = await box.last_seq()
        followers = {}
        for number, plan in enumerate(plans):
            evaluation, batch = plan.selection
            selection = Selection(None if evaluation is None else ids[evaluation], batch)
            after = min(plan.begins, begun)
            follower = Follower(hub, plan, selection, after)
            followers[number] = follower
            tasks.append(asyncio.create_task(follower.run()))
        for burst in log:
            for evaluation in burst:
                await box._store.record("test.event", 0.0, {}, evaluation_id=ids[evaluation])
            for follower in followers.values():
                async with follower.burst:
                    follower.burst.notify_all()
        for number, follower in followers.items():
            selection, after = follower._selection, min(plans[number].begins, begun)
            expected = [
                event.seq
                async for event in box.events(
                    after=after, evaluation_id=selection.evaluation_id, batch=selection.batch
                )
            ]
            async with asyncio.timeout(10):
                while len(follower.seen) < len(expected):
                    await asyncio.sleep(0.002)
            assert follower.seen == expected
    finally:
        for task in tasks:
            task.cancel()
        ended = await asyncio.gather(*tasks, return_exceptions=True)
        await hub.stop()
        await box.close()
        await engine.close()
    assert all(isinstance(end, asyncio.CancelledError) for end in ended)
