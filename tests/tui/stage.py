"""A box in which everything is as it was the last time: times, ids, and the machine."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random
from typing import Any

import pytest
from conftest import control, in_state, spec, submit, until
from textual.pilot import Pilot

import evalbox
from evalbox.config.settings import Settings
from evalbox.domain import ids
from evalbox.domain.activity import Activity
from evalbox.domain.clock import ManualClock
from evalbox.domain.evaluation import Priority
from evalbox.domain.host import HostReport, HostSample
from evalbox.domain.limits import GIB, MIB, Limits
from evalbox.domain.state import State
from evalbox.engines.fake import FakeEngine
from evalbox.service.local import LocalBox
from evalbox.tui.app import MissionControl

BOX = "0123456789abcdef0123456789abcdef"
_LONG = 100_000.0


class Stage:
    """``clock`` moves only where something is played that takes time."""

    def __init__(self, clock: ManualClock) -> None:
        self.clock = clock

    async def sleep(self, seconds: float) -> None:
        if seconds > _LONG:
            await asyncio.Event().wait()
        self.clock.advance(seconds)


@asynccontextmanager
async def staged(directory: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[LocalBox]:
    """The box, with the play that the pictures show."""
    random = Random(7)
    monkeypatch.setattr(ids.secrets, "randbits", random.getrandbits)
    monkeypatch.setenv("TZ", "UTC")
    # Where the samples lie is told as the way from there.
    monkeypatch.setenv("HOME", str(Path(evalbox.__file__).resolve().parents[1]))
    time.tzset()
    clock = ManualClock()
    settings = Settings(data_dir=directory, engine="fake", slots=4, load_per_core=1000.0)
    engine = FakeEngine(clock=clock, sleep=Stage(clock).sleep)
    box = await LocalBox.open(settings, work=True, clock=clock, engines=[engine])
    try:
        await _play(box, clock)
        yield box
    finally:
        await box.close(drain=0)
        time.tzset()


def _words(text: str) -> list[str]:
    return text.split()


_PASSED = """memory 94371840 ; echo step 1/3 $ pytest -q ; work 21 0.4 ; echo 2 failed, 7 passed ;
echo step 2/3 $ sed -n 1,80p core.py ; work 34 0.2 ; memory 150994944 ; echo step 3/3 ;
work 12 0.9 ; artifact score.json {"score":1,"checks":{"parses":true,"sorts":true}} ;
echo all checks pass"""
_PARTLY = """echo step 1/2 ; work 40 0.5 ; artifact score.json
{"score":0.5,"checks":{"parses":true,"sorts":false}} ; error scorer: 1 of 2 checks fail ; exit 1"""
_BROKEN = """echo step 1/2 ; work 9 0.1 ; error Traceback ; error KeyError: 'deadline' ; exit 1"""


async def _play(box: LocalBox, clock: ManualClock) -> None:
    limits = Limits(memory=512 * MIB, timeout=600, disk=1 * GIB)
    await box.set_batch_concurrency("nightly", 2)
    for name, agent, words, more in (
        ("patchwork/csv-dialects", "kestrel-2", _PASSED, {}),
        ("patchwork/lru-eviction", "kestrel-2", _PARTLY, {}),
        ("patchwork/csv-dialects", "wren-base", _BROKEN, {}),
        ("patchwork/lru-eviction", "wren-base", _BROKEN, {}),
        ("burrow/heap-spray", "wren-base", "work 3 1 ; oom", {}),
        ("burrow/jwt-none", "kestrel-2", "signal 11", {}),
        ("burrow/xor-pad", "kestrel-2", "true", {}),
    ):
        one = spec(
            name, *_words(words), limits=limits, batch="nightly",
            labels={"agent": agent}, artifacts=("score.json",), score="score.json", **more,
        )  # fmt: skip
        (evaluation_id,) = await submit(box, one)
        await in_state(box, evaluation_id, State.COMPLETED, State.FAILED)
        clock.advance(30)
    running = spec(
        "patchwork/tz-arithmetic", *_words("echo step 1/9 ; memory 203423744 ; sleep inf"),
        limits=limits, labels={"agent": "kestrel-2"},
    )  # fmt: skip
    (evaluation_id,) = await submit(box, running)
    await in_state(box, evaluation_id, State.RUNNING)
    await box.pause()
    clock.advance(75)
    for name, priority in (("numeral/knots-2", Priority.HIGH), ("numeral/prime-21", Priority.LOW)):
        await submit(box, spec(name, "true", priority=priority, labels={"agent": "wren-base"}))
        clock.advance(20)


@asynccontextmanager
async def still(box: LocalBox, **options: Any) -> AsyncIterator[tuple[MissionControl, Pilot[Any]]]:
    """The screen over it, with a machine that is always the same, and nothing that moves."""
    async with control(box, clock=box._clock, **options) as (app, pilot):
        keepers = app.workers.cancel_group(app, "keeper")
        await until(lambda: all(worker.is_finished for worker in keepers))
        app.context.standing.queue = await box.queue()
        freeze(app)
        yield app, pilot


def freeze(app: MissionControl) -> None:
    standing = app.context.standing
    now = app.context.clock.now()
    samples = [_sample(now - 2 * age, 20.0 + (age * 7) % 50) for age in range(150, -1, -1)]
    standing.history.clear()
    standing.host = HostReport(
        version="1.2.3", box=BOX, engine="fake", slots=4, running=1, warm=0,
        latest=samples[-1], history=tuple(samples),
    )  # fmt: skip
    standing.history.extend(samples)
    standing.attend(
        Activity(
            row.id, row.attempts, "running", row.started_at or now, Limits(memory=512 * MIB),
            cpu=0.42, memory=194 * MIB, disk=3 * MIB, pids=4, output_bytes=9,
            last_output_at=now - 65,
        )
        for row in app.context.book.rows if row.active
    )  # fmt: skip
    standing.version += 1


def _sample(at: float, cpu: float) -> HostSample:
    return HostSample(
        at=at, cpu=cpu, cores=(cpu, cpu / 2), memory_total=24 * GIB,
        memory_used=int(24 * GIB * cpu / 200), swap_total=0, swap_used=0,
        disk_total=250 * GIB, disk_used=30 * GIB, disk_free=220 * GIB,
        load=(1.5, 1.25, 1.0), received_rate=cpu * 1000, sent_rate=cpu * 200, uptime=86_400.0,
    )  # fmt: skip
